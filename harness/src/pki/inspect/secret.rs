//! Secrets in Kubernetes manifests, as `kubectl get -o yaml` or a chart writes them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saphyr::{LoadableYamlNode, Yaml};

use super::material::certificates;
use super::{Certificate, Key, Material, Origin, Unreadable};

/// Every entry of every Secret that holds certificates; JSON is YAML too.
pub(super) fn read(path: &Path, manifest: &[u8]) -> Result<Vec<Result<Material, Unreadable>>, Unreadable> {
    let no_manifest =
        |reason: &str| Unreadable::NoManifest { path: path.to_owned(), reason: reason.to_owned() };
    let text = std::str::from_utf8(manifest).map_err(|_| no_manifest("not UTF-8"))?;
    // What the parser says may quote the document, which holds keys.
    let documents = Yaml::load_from_str(text).map_err(|_| no_manifest("neither YAML nor JSON"))?;
    let secrets: Vec<_> = documents.iter().flat_map(secrets).collect();
    if secrets.is_empty() {
        return Err(no_manifest("no Secret in it"));
    }
    Ok(secrets.into_iter().flat_map(|secret| materials(path, secret)).collect())
}

/// The document itself, or the items of a List.
fn secrets<'d>(document: &'d Yaml<'d>) -> Vec<&'d Yaml<'d>> {
    let kind = |node: &Yaml<'_>| get(node, "kind").and_then(Yaml::as_str).map(str::to_owned);
    match kind(document).as_deref() {
        Some("Secret") => vec![document],
        Some("List" | "SecretList") => {
            let items = get(document, "items").and_then(Yaml::as_vec);
            items.into_iter().flatten().filter(|item| kind(item).as_deref() == Some("Secret")).collect()
        }
        _ => Vec::new(),
    }
}

fn materials(path: &Path, secret: &Yaml<'_>) -> Vec<Result<Material, Unreadable>> {
    let name = |key| get(secret, "metadata").and_then(|metadata| get(metadata, key)).and_then(Yaml::as_str);
    let namespace = name("namespace").map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let name = format!("{namespace}{}", name("name").unwrap_or("(without a name)"));
    let origin =
        |entry: &str| Origin::Secret { path: path.to_owned(), secret: name.clone(), entry: entry.to_owned() };
    let entries = entries(secret);
    let find = |wanted: &str| entries.iter().find(|(name, _)| name == wanted).map(|(_, content)| content);
    let read = |entry: &str| -> Option<Result<Vec<Certificate>, Unreadable>> {
        let Some(content) = find(entry)? else {
            return Some(Err(Unreadable::Torn { origin: origin(entry) }));
        };
        Some(certificates(&origin(entry), content))
    };

    let anchors = read("ca.crt").and_then(Result::ok);
    let mut materials = Vec::new();
    // `cert` and `ca.crt` are where Kong Ingress Controller looks for authorities.
    for entry in ["tls.crt", "ca.crt", "cert"] {
        let Some(read) = read(entry) else { continue };
        let is_leaf = entry == "tls.crt";
        let key = find("tls.key").filter(|_| is_leaf).map(|key| key.as_deref().map_or(Key::None, Key::of));
        let anchors = anchors.clone().filter(|_| is_leaf);
        materials.push(read.map(|certificates| Material {
            origin: origin(entry),
            certificates,
            key,
            key_mode: None,
            anchors,
        }));
    }
    materials
}

/// Entries with their content; `None`: not Base64.
fn entries(secret: &Yaml<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let of = |field: &str| {
        let entries = get(secret, field).and_then(Yaml::as_mapping).into_iter().flatten();
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

fn get<'n>(node: &'n Yaml<'n>, key: &str) -> Option<&'n Yaml<'n>> {
    node.as_mapping_get(key)
}
