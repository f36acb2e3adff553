//! Files of one directory: what belongs to what, by their names.

use std::path::{Path, PathBuf};

use super::material::{certificates, content, is_manifest, mode};
use super::{Key, Material, Origin, Unreadable, secret};

/// All certificates of a directory, in the order of their names; it does not go into directories.
pub(super) fn read(directory: &Path) -> Result<Vec<Result<Material, Unreadable>>, Unreadable> {
    let unreadable =
        |reason: std::io::Error| Unreadable::Io { path: directory.to_owned(), reason: reason.to_string() };
    let mut paths = (std::fs::read_dir(directory).map_err(unreadable)?)
        .map(|entry| entry.map(|entry| entry.path()).map_err(unreadable))
        .collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    let mut read = Vec::new();
    for path in paths {
        let found = if is_manifest(&path) {
            content(&path).and_then(|content| secret::read(&path, &content))
        } else if is_certificate(&path) {
            Ok(vec![material(&path)])
        } else {
            continue;
        };
        // Other manifests, keys in .pem and their like lie in such directories by right.
        match found {
            Ok(found) => read.extend(found.into_iter().filter(|found| !is_of_others(found))),
            Err(Unreadable::NoManifest { .. } | Unreadable::NoCertificate { .. }) => {}
            Err(other) => read.push(Err(other)),
        }
    }
    if read.is_empty() {
        return Err(Unreadable::NoCertificate { origin: Origin::File { path: directory.to_owned() } });
    }
    Ok(read)
}

/// One file, with the key and the authorities that lie beside it.
pub(super) fn material(path: &Path) -> Result<Material, Unreadable> {
    let origin = Origin::File { path: path.to_owned() };
    let own = content(path)?;
    let certificates = certificates(&origin, &own)?;
    let (key, key_mode) = match Key::of(&own) {
        Key::None => match key_beside(path) {
            Some(key) => (Some(Key::of(&content(&key)?)), mode(&key)),
            None => (None, None),
        },
        key => (Some(key), mode(path)),
    };
    let anchors = anchors_beside(path)?.filter(|anchors| *anchors != certificates);
    Ok(Material { origin, certificates, key, key_mode, anchors })
}

/// Where the key of a certificate's file lies.
pub(crate) fn key_beside(path: &Path) -> Option<PathBuf> {
    beside(path, &["{}.key", "{}_key.pem", "{}-key.pem"])
}

/// Nothing is an authority's for lying there: only what these names say.
fn anchors_beside(path: &Path) -> Result<Option<Vec<super::Certificate>>, Unreadable> {
    let Some(bundle) = beside(path, &["{}_bundle.pem", "ca.crt"]) else { return Ok(None) };
    certificates(&Origin::File { path: bundle.clone() }, &content(&bundle)?).map(Some)
}

/// The first file of these names that is there; `{}` stands for the name of `path` without its extension.
fn beside(path: &Path, names: &[&str]) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let candidates = names.iter().map(|name| path.with_file_name(name.replace("{}", stem)));
    candidates.filter(|candidate| candidate != path).find(|candidate| candidate.is_file())
}

fn is_certificate(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["cer", "cert", "crt", "der", "pem"].contains(&extension))
}

fn is_of_others(found: &Result<Material, Unreadable>) -> bool {
    matches!(found, Err(Unreadable::NoCertificate { .. }))
}
