//! What Envoy connects to, and which of it each route may choose.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use mtls_policy::envoy::Offer;

use crate::gateway::embedded::upstream::Destination;
use kong_config::declarative::UpstreamName;

/// All clusters, and what each route of a config has of them.
#[derive(Default)]
pub struct Plan {
    /// By name.
    pub clusters: BTreeMap<String, Cluster>,
    /// By index of the route.
    pub choices: Vec<Choice>,
}

/// One way of connecting to a service: one client certificate or none, one set of trust anchors or none. Envoy's
/// clusters share neither connections nor TLS sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    pub destination: Arc<Destination>,
    pub certificate: Option<Secret>,
    /// `None`: any upstream is believed.
    pub trust: Option<Trust>,
}

/// Which upstreams are believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Trust {
    pub anchors: Secret,
    /// How many certificates may stand between leaf and anchor.
    pub depth: u8,
    /// Names of which the upstream's certificate must have one; empty: the service's host.
    pub names: Vec<UpstreamName>,
}

/// What requests of one route may ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// By name of the client certificate.
    pub named: BTreeMap<String, Named>,
    /// The cluster where no filter selects a client certificate; absent: there is none that may be used.
    pub default: Option<String>,
}

/// A client certificate that a filter may select.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub offer: Offer,
    /// Absent: it cannot be presented.
    pub cluster: Option<String>,
}

/// What Envoy gets by SDS, under a name of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    pub name: String,
    pub material: Material,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Material {
    Certificate {
        chain: Source,
        key: Source,
    },
    /// Trust anchors, and what they have revoked.
    Anchors {
        anchors: Source,
        revocations: Option<Source>,
    },
}

/// Where Envoy reads PEM from.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// A file, which Envoy watches.
    File(PathBuf),
    /// The secret itself.
    Inline(String),
}

/// It may hold a private key.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Inline(_) => f.write_str("Inline"),
        }
    }
}

impl Plan {
    /// All that is delivered by SDS, by name.
    pub fn secrets(&self) -> BTreeMap<&str, &Secret> {
        let secrets = self.clusters.values().flat_map(Cluster::secrets);
        secrets.map(|secret| (secret.name.as_str(), secret)).collect()
    }
}

impl Cluster {
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.certificate.iter().chain(self.trust.as_ref().map(|trust| &trust.anchors))
    }
}
