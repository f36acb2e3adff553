//! Certificates and trust anchors as Envoy takes them by SDS.

use std::path::Path;

use serde_json::{Value, json};

use super::plan::{Material, Secret, Source};

impl Secret {
    /// Envoy's `Secret`. Files are watched by their directory, as Kubernetes swaps a link in it; Envoy takes chain and
    /// key together, and only if they belong to each other.
    pub fn resource(&self) -> Value {
        let mut secret = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": self.name,
        });
        match &self.material {
            Material::Certificate { chain, key } => {
                secret["tls_certificate"] = json!({
                    "certificate_chain": chain.data_source(),
                    "private_key": key.data_source(),
                });
                // With a directory each Envoy would look at one of the two only.
                if let Some(directory) =
                    chain.directory().filter(|directory| key.directory() == Some(directory))
                {
                    secret["tls_certificate"]["watched_directory"] = json!({ "path": directory });
                }
            }
            Material::Anchors { anchors, revocations } => {
                secret["validation_context"] = json!({ "trusted_ca": anchors.data_source() });
                // Envoy then wants a list of each authority in the chain, and none that is out of date.
                if let Some(revocations) = revocations {
                    secret["validation_context"]["crl"] = revocations.data_source();
                }
                if let Some(directory) = anchors.directory() {
                    secret["validation_context"]["watched_directory"] = json!({ "path": directory });
                }
            }
        }
        secret
    }

    /// Whether it holds a private key itself.
    pub fn is_private(&self) -> bool {
        matches!(&self.material, Material::Certificate { key: Source::Inline(_), .. })
    }

    /// A file's name for it; `+` stands in no name.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.name.replace('/', "+"))
    }
}

impl Source {
    fn data_source(&self) -> Value {
        match self {
            Self::File(path) => json!({ "filename": path }),
            Self::Inline(pem) => json!({ "inline_string": pem }),
        }
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            Self::File(path) => path.parent(),
            Self::Inline(_) => None,
        }
    }
}
