use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// A Kubernetes Secret. No `Debug`, for it holds private keys.
pub struct Secret {
    name: String,
    namespace: String,
    /// YAML below `metadata:`, whole lines.
    marks: String,
    kind: &'static str,
    /// Keys, as Kubernetes names the entries, and what they hold, not yet encoded.
    data: Vec<(&'static str, String)>,
}

impl Secret {
    /// For Kong Ingress Controller: it takes CA certificates from Secrets with this label and its own ingress class,
    /// and calls them in Kong by the UUID under `id` (its `translate_cacerts.go`; older versions read `cert` only).
    /// `ca.crt` is for pods that mount the Secret. The private key stays outside.
    ///
    /// The same certificate in the same place has the same id, so that writing it again changes nothing in Kong; in
    /// another place it has another, for the controller takes one Secret of each id.
    #[must_use]
    pub fn of_authority(name: &str, namespace: &str, class: &str, certificate: &str) -> Self {
        let place = format!("{namespace}/{name}\n{certificate}");
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            marks: format!(
                "  labels:\n    konghq.com/ca-cert: \"true\"\n  annotations:\n    kubernetes.io/ingress.class: {class}\n"
            ),
            kind: "Opaque",
            data: vec![
                ("id", Uuid::new_v5(&Uuid::NAMESPACE_OID, place.as_bytes()).to_string()),
                ("cert", certificate.to_owned()),
                ("ca.crt", certificate.to_owned()),
            ],
        }
    }

    /// With the keys that Kubernetes demands of this type, and beside them what is to be trusted, as cert-manager does.
    #[must_use]
    pub fn of_identity(name: &str, namespace: &str, chain: &str, key: &str, authority: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            marks: String::new(),
            kind: "kubernetes.io/tls",
            data: vec![
                ("tls.crt", chain.to_owned()),
                ("tls.key", key.to_owned()),
                ("ca.crt", authority.to_owned()),
            ],
        }
    }

    /// Namespace and name.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// All Secrets as one YAML stream for `kubectl apply -f`. Names are checked and values encoded: nothing needs quotes.
    #[must_use]
    pub fn document(secrets: &[Self]) -> String {
        let mut text = String::from("# Private keys: keep this file out of version control.\n");
        for Self { name, namespace, marks, kind, data } in secrets {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}\n{marks}\
                 type: {kind}\ndata:\n"
            );
            for (key, value) in data {
                let _ = writeln!(text, "  {key}: {}", STANDARD.encode(value));
            }
        }
        text
    }
}
