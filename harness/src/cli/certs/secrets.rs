use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::pki::{Authority, Issued};

/// A Kubernetes Secret. No `Debug`, for it holds private keys.
pub(super) struct Secret {
    name: String,
    namespace: &'static str,
    /// YAML below `metadata:`, whole lines.
    marks: &'static str,
    kind: &'static str,
    /// Keys, as Kubernetes names the entries, and what they hold, not yet encoded.
    data: Vec<(&'static str, String)>,
}

impl Secret {
    /// For Kong Ingress Controller: it takes CA certificates from Secrets with this label and its own ingress class,
    /// and calls them in Kong by the UUID under `id` (its `translate_cacerts.go`; older versions read `cert` only).
    /// `ca.crt` is for pods that mount the Secret. The private key stays outside.
    pub(super) fn of_authority(name: &str, namespace: &'static str, authority: &Authority) -> Self {
        Self {
            name: name.to_owned(),
            namespace,
            marks: "  labels:\n    konghq.com/ca-cert: \"true\"\n  annotations:\n    kubernetes.io/ingress.class: kong\n",
            kind: "Opaque",
            data: vec![
                ("id", uuid::Uuid::new_v4().to_string()),
                ("cert", authority.pem()),
                ("ca.crt", authority.pem()),
            ],
        }
    }

    /// With the keys that Kubernetes demands of this type, and the authority's certificate beside them.
    pub(super) fn of_identity(
        name: &str,
        namespace: &'static str,
        identity: &Issued,
        authority: &Authority,
    ) -> Self {
        Self {
            name: name.to_owned(),
            namespace,
            marks: "",
            kind: "kubernetes.io/tls",
            data: vec![
                ("tls.crt", identity.chain_pem()),
                ("tls.key", identity.key().pem()),
                ("ca.crt", authority.pem()),
            ],
        }
    }

    /// Namespace and name.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// All Secrets as one YAML stream for `kubectl apply -f`. Names are checked and values encoded: nothing needs quotes.
    pub(super) fn document(secrets: &[Self]) -> String {
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
