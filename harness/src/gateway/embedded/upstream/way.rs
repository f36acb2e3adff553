//! From a route to its upstream: what a request may present there, and whom it believes.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::Terms;
use super::certificate::{ClientCertificate, Unusable};
use super::client::{Destination, PoolKey};
use super::identity::CertificateRequest;
use super::revocation::RevocationLists;
use super::trust::{Against, Anchors, Verification};
use super::watched::{Material, Watched};
use kong_config::declarative::UpstreamName;

/// Ways of all routes of one config.
#[derive(Default)]
pub struct Upstreams {
    /// By index of the route.
    pub(super) ways: Vec<Way>,
    pub plugins: Vec<Arc<Plugin>>,
    pub(super) certificates: Vec<Arc<Watched<ClientCertificate>>>,
    pub(super) anchors: Vec<Arc<Watched<Anchors>>>,
    pub(super) revocations: Vec<Arc<Watched<RevocationLists>>>,
    /// Between looks at the files: the shortest that an admin asked for. Absent: there are none.
    pub interval: Option<Duration>,
}

/// How requests of one route get to its service.
pub struct Way {
    pub destination: Arc<Destination>,
    /// The instance of upstream-mtls that serves the route: its own, else its service's, else the global
    /// one. As in Kong, one instance serves a request, with all of its config and nothing of the others'.
    pub plugin: Option<Arc<Plugin>>,
    /// `service.client_certificate`, presented where neither a filter nor the plugin says otherwise.
    pub(super) own: Option<Arc<Watched<ClientCertificate>>>,
    pub(super) verification: Verification,
}

/// One instance of upstream-mtls.
pub struct Plugin {
    /// `global`, `service NAME` or `route NAME`.
    pub scope: String,
    pub certificates: BTreeMap<String, Arc<Watched<ClientCertificate>>>,
    pub(super) default: Option<String>,
    pub(super) trust: Option<PluginTrust>,
    pub(super) request: CertificateRequest,
    pub(super) expiry_warning: Duration,
}

/// Whom an instance believes.
pub(super) struct PluginTrust {
    pub(super) anchors: Arc<Watched<Anchors>>,
    pub(super) depth: u8,
    pub(super) revocations: Option<Arc<Watched<RevocationLists>>>,
    pub(super) names: Arc<[UpstreamName]>,
}

/// Why a request does not go to its upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    Certificate {
        name: String,
        why: Unusable,
    },
    /// A client certificate was selected for a service that is spoken to in plain HTTP.
    Plaintext,
    Revocations(Unusable),
    Trust(Unusable),
}

impl Upstreams {
    /// The way of a route, by its index in the config.
    pub fn way(&self, route: usize) -> Option<&Way> {
        self.ways.get(route)
    }

    /// What there may be clients for at `now`.
    pub fn pool_keys(&self, now: OffsetDateTime) -> HashSet<PoolKey> {
        self.ways.iter().flat_map(|way| way.pool_keys(now)).collect()
    }
}

impl Way {
    /// Whether a filter may select the client certificate `name` at `now`. `None`: upstream-mtls has no part
    /// in this; nor has it where the service is spoken to in plain HTTP.
    pub fn offer(&self, name: &str, now: OffsetDateTime) -> Option<Result<(), NoWay>> {
        let plugin = self.plugin.as_ref().filter(|_| self.destination.https)?;
        Some(plugin.named(name, now).map(drop))
    }

    /// The terms for a request whose filters selected a client certificate, or none.
    ///
    /// # Errors
    /// There is no such certificate, it is out of its validity, or nothing says which upstreams to believe.
    pub fn terms(&self, selected: Option<&str>, now: OffsetDateTime) -> Result<Terms, NoWay> {
        if !self.destination.https {
            return match selected {
                Some(_) => Err(NoWay::Plaintext),
                None => Ok(Terms {
                    certificate: None,
                    verification: Verification::Off,
                    request: CertificateRequest::Optional,
                }),
            };
        }
        let certificate = match (selected.or(self.default()), &self.plugin, &self.own) {
            (Some(name), Some(plugin), _) => Some(plugin.named(name, now)?),
            (Some(name), None, _) => {
                return Err(NoWay::Certificate { name: name.into(), why: Unusable::Unknown });
            }
            (None, _, Some(own)) => Some(usable("service.client_certificate", own, now)?),
            (None, _, None) => None,
        };
        let request = self.plugin.as_ref().map(|plugin| plugin.request).unwrap_or_default();
        Ok(Terms { certificate, verification: self.verification()?, request })
    }

    /// The name of the client certificate that the plugin presents where no filter selects one.
    pub fn default(&self) -> Option<&str> {
        self.plugin.as_ref().and_then(|plugin| plugin.default.as_deref())
    }

    /// What is presented where a filter has selected this, by its name, if it can be.
    pub fn presents<'w>(&'w self, selected: Option<&'w str>) -> Option<&'w str> {
        let own = self.own.as_ref().map(|_| "service.client_certificate");
        selected.or(self.default()).or(own).filter(|_| self.destination.https)
    }

    /// `service.client_certificate`.
    pub fn own(&self) -> Option<&Watched<ClientCertificate>> {
        self.own.as_deref()
    }

    fn verification(&self) -> Result<Verification, NoWay> {
        match self.plugin.as_ref().and_then(|plugin| plugin.trust.as_ref()) {
            Some(PluginTrust { anchors, depth, revocations, names }) => {
                let anchors = anchors.in_force().map_err(NoWay::Trust)?;
                let revocations =
                    revocations.as_ref().map(|lists| lists.in_force().map_err(NoWay::Revocations));
                let (revocations, names) = (revocations.transpose()?, names.clone());
                Ok(Verification::Against(Against { anchors, depth: *depth, revocations, names }))
            }
            None => Ok(self.verification.clone()),
        }
    }

    fn pool_keys(&self, now: OffsetDateTime) -> Vec<PoolKey> {
        let names = self.plugin.iter().flat_map(|plugin| plugin.certificates.keys());
        let selections = names.map(|name| Some(name.as_str())).chain([None]);
        let terms = selections.filter_map(|selected| self.terms(selected, now).ok());
        terms.map(|terms| terms.pool_key(&self.destination)).collect()
    }
}

impl Plugin {
    /// What it checks upstreams against; `None`: nothing.
    pub fn trust(&self) -> Option<&Watched<Anchors>> {
        self.trust.as_ref().map(|trust| &*trust.anchors)
    }

    /// What their authorities have revoked; `None`: nobody asks.
    pub fn revocations(&self) -> Option<&Watched<RevocationLists>> {
        self.trust.as_ref()?.revocations.as_deref()
    }

    fn named(&self, name: &str, now: OffsetDateTime) -> Result<Arc<ClientCertificate>, NoWay> {
        match self.certificates.get(name) {
            Some(certificate) => usable(name, certificate, now),
            None => Err(NoWay::Certificate { name: name.into(), why: Unusable::Unknown }),
        }
    }
}

fn usable(
    name: &str,
    certificate: &Watched<ClientCertificate>,
    now: OffsetDateTime,
) -> Result<Arc<ClientCertificate>, NoWay> {
    let checked = certificate.in_force().and_then(|in_force| in_force.check(now).map(|()| in_force));
    checked.map_err(|why| NoWay::Certificate { name: name.into(), why })
}

impl NoWay {
    /// What a filter is told, in the word that the plugin on Kong uses.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Certificate { why: Unusable::Expired(_), .. } => "expired",
            Self::Certificate { why: Unusable::NotYetValid(_), .. } => "not yet valid",
            Self::Certificate { why: Unusable::Unknown, .. } => "unknown",
            Self::Certificate { .. } | Self::Plaintext | Self::Revocations(_) | Self::Trust(_) => "unusable",
        }
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { name, why } => write!(f, "client certificate {name:?}: {why}"),
            Self::Plaintext => f.write_str(
                "the service is spoken to in plain HTTP, where no client certificate can be presented",
            ),
            Self::Revocations(why) => write!(f, "list of what is revoked: {why}"),
            Self::Trust(why) => write!(f, "trust anchors: {why}"),
        }
    }
}
