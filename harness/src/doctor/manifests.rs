//! KongPlugins in Kubernetes manifests.

use std::path::Path;

use super::entities::{Known, look};
use super::{Finding, Hop};
use policy_tools::policy::{Document, Setup};

/// Returns what is found in a file of Kubernetes manifests, or `None` if it holds anything else.
pub(super) fn examine(file: &Path) -> Option<Vec<Finding>> {
    let text = kong_config::regular::text(file).ok()?;
    let document = Document::parse(file.display().to_string(), text).ok()?;
    if !document.is_manifest() {
        return None;
    }
    let documents = [document];
    let setup = Setup::of(&documents);
    let told = match setup.plugins.len() {
        0 => "Kubernetes manifests without a KongPlugin".to_owned(),
        1 => "Kubernetes manifests with 1 KongPlugin".to_owned(),
        many => format!("Kubernetes manifests with {many} KongPlugins"),
    };
    Some([Finding::fine(Hop::Config, told)].into_iter().chain(look(&setup, &Known::default())).collect())
}
