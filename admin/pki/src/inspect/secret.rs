//! Secrets in Kubernetes manifests, as `kubectl get -o yaml` or a chart writes them.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr::{LoadableYamlNode, Yaml};

use super::material::certificates;
use super::{Certificate, Key, Material, Origin, Unreadable};

/// Every entry of every Secret that holds certificates; JSON is YAML too.
pub(super) fn read(path: &Path, manifest: &[u8]) -> Result<Vec<Result<Material, Unreadable>>, Unreadable> {
    Ok(secrets(path, manifest)?.iter().flat_map(Secret::materials).collect())
}

/// A Secret with its entries. No `Debug`: it holds keys.
pub(crate) struct Secret {
    path: PathBuf,
    /// Namespace, if it has one, and name.
    name: String,
    /// `None`: not Base64.
    entries: Vec<(String, Option<Vec<u8>>)>,
}

/// All Secrets of a manifest, those in a List too.
///
/// # Errors
/// [`Unreadable::NoManifest`]: there is none.
pub(crate) fn secrets(path: &Path, manifest: &[u8]) -> Result<Vec<Secret>, Unreadable> {
    let no_manifest =
        |reason: &str| Unreadable::NoManifest { path: path.to_owned(), reason: reason.to_owned() };
    let text = std::str::from_utf8(manifest).map_err(|_| no_manifest("not UTF-8"))?;
    // What the parser says may quote the document, which holds keys.
    let documents = Yaml::load_from_str(text).map_err(|_| no_manifest("neither YAML nor JSON"))?;
    let secrets: Vec<_> =
        documents.iter().flat_map(secret_nodes).map(|node| Secret::of(path, node)).collect();
    if secrets.is_empty() { Err(no_manifest("no Secret in it")) } else { Ok(secrets) }
}

impl Secret {
    /// What an entry holds, decoded.
    pub(crate) fn entry(&self, wanted: &str) -> Option<&[u8]> {
        let (_, content) = self.entries.iter().find(|(name, _)| name == wanted)?;
        content.as_deref()
    }

    /// The certificates of an entry; `None`: it is not there, or holds none.
    pub(crate) fn certificates(&self, entry: &str) -> Option<Vec<Certificate>> {
        certificates(&self.origin(entry), self.entry(entry)?).ok()
    }

    fn of(path: &Path, node: &Yaml<'_>) -> Self {
        let metadata = node.as_mapping_get("metadata");
        let text = |key| metadata.and_then(|metadata| metadata.as_mapping_get(key)).and_then(Yaml::as_str);
        let namespace = text("namespace").map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let name = format!("{namespace}{}", text("name").unwrap_or("(without a name)"));
        Self { path: path.to_owned(), name, entries: entries(node) }
    }

    fn materials(&self) -> Vec<Result<Material, Unreadable>> {
        let has = |wanted: &str| self.entries.iter().any(|(name, _)| name == wanted);
        let mut materials = Vec::new();
        // `cert` and `ca.crt` are where Kong Ingress Controller looks for authorities.
        for entry in ["tls.crt", "ca.crt", "cert"].into_iter().filter(|entry| has(entry)) {
            let is_leaf = entry == "tls.crt";
            let origin = self.origin(entry);
            let read = match self.entry(entry) {
                Some(content) => certificates(&origin, content),
                None => Err(Unreadable::Torn { origin: origin.clone() }),
            };
            let key = has("tls.key").then(|| self.entry("tls.key").map_or(Key::None, Key::of));
            materials.push(read.map(|certificates| Material {
                origin,
                certificates,
                key: key.filter(|_| is_leaf),
                key_mode: None,
                anchors: self.certificates("ca.crt").filter(|_| is_leaf),
            }));
        }
        materials
    }

    fn origin(&self, entry: &str) -> Origin {
        Origin::Secret { path: self.path.clone(), secret: self.name.clone(), entry: entry.to_owned() }
    }
}

/// The document itself, or the items of a List.
fn secret_nodes<'d>(document: &'d Yaml<'d>) -> Vec<&'d Yaml<'d>> {
    let kind = |node: &Yaml<'_>| node.as_mapping_get("kind").and_then(Yaml::as_str).map(str::to_owned);
    match kind(document).as_deref() {
        Some("Secret") => vec![document],
        Some("List" | "SecretList") => {
            let items = document.as_mapping_get("items").and_then(Yaml::as_vec);
            items.into_iter().flatten().filter(|item| kind(item).as_deref() == Some("Secret")).collect()
        }
        _ => Vec::new(),
    }
}

fn entries(secret: &Yaml<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let of = |field: &str| {
        let entries = secret.as_mapping_get(field).and_then(Yaml::as_mapping).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned())))
    };
    let decode = |text: String| {
        let packed: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(packed).ok()
    };
    // Kubernetes lets stringData win over data.
    let plain = of("stringData").map(|(name, text)| (name, Some(text.into_bytes())));
    plain.chain(of("data").map(|(name, text)| (name, decode(text)))).collect()
}
