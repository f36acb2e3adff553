//! What a document is a setup of.

use std::fmt;

use clap::ValueEnum;

use crate::policy::Document;
use kong_config::document::Node;

/// What a document is a setup of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// A standalone `apisix.yaml`.
    Apisix,
    /// decK's state.
    Deck,
    /// A config of Envoy's whose routes are in it.
    Envoy,
    /// Kong's declarative config, or what a running Kong's Admin API tells.
    Kong,
}

impl Source {
    /// By what stands in it.
    pub fn guess(documents: &[Document]) -> Self {
        let has = |name: &str| documents.iter().any(|document| document.root.get(name).is_some());
        let kongs = has("_format_version");
        let uris = |document: &Document| {
            let routes = document.root.get("routes").map(Node::items).unwrap_or_default();
            routes.iter().any(|route| route.get("uri").or(route.get("uris")).is_some())
        };
        if has("static_resources") {
            Self::Envoy
        } else if DECKS_OWN.into_iter().any(has) {
            Self::Deck
        } else if !kongs && documents.iter().any(uris) {
            Self::Apisix
        } else {
            Self::Kong
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apisix => "APISIX's config",
            Self::Deck => "decK's state",
            Self::Envoy => "Envoy's config",
            Self::Kong => "Kong's config",
        })
    }
}

/// Fields that Kong's own declarative config does not have.
const DECKS_OWN: [&str; 4] = ["_info", "_konnect", "_plugin_configs", "_workspace"];
