//! From a route to its upstream: what a request may present there, and whom it believes.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::Terms;
use super::certificate::{ClientCertificate, Unusable};
use super::client::{Destination, PoolKey};
use super::trust::{Anchors, Verification};
use super::watched::{Material, Watched};
use crate::gateway::declarative::{
    CertificateSource, Config, PemPair, Protocol, Service, Trust, UpstreamMtls,
};

/// Ways of all routes of one config.
pub struct Upstreams {
    /// By index of the route.
    ways: Vec<Way>,
    pub(super) certificates: Vec<Arc<Watched<ClientCertificate>>>,
    pub(super) anchors: Vec<Arc<Watched<Anchors>>>,
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
    own: Option<Arc<Watched<ClientCertificate>>>,
    verification: Verification,
}

/// One instance of upstream-mtls.
pub struct Plugin {
    pub certificates: BTreeMap<String, Arc<Watched<ClientCertificate>>>,
    default: Option<String>,
    trust: Option<(Arc<Watched<Anchors>>, u8)>,
}

/// Why a request does not go to its upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    Certificate {
        name: String,
        why: Unusable,
    },
    /// A client certificate was to be presented to a service that is spoken to in plain HTTP.
    Plaintext,
    Trust(Unusable),
}

impl Upstreams {
    /// Files that `before` has watched already are not watched anew: what was good in them is still good.
    ///
    /// # Errors
    /// Every certificate and CA certificate in the config itself that cannot be used.
    pub fn compile(config: &Config, before: Option<&Self>) -> Result<Self, Vec<String>> {
        let mut compiler = Compiler {
            before,
            upstreams: Self {
                ways: Vec::new(),
                certificates: Vec::new(),
                anchors: Vec::new(),
                interval: None,
            },
            problems: Vec::new(),
        };
        compiler.run(config);
        if compiler.problems.is_empty() { Ok(compiler.upstreams) } else { Err(compiler.problems) }
    }

    /// The way of a route, by its index in the config.
    pub fn way(&self, route: usize) -> Option<&Way> {
        self.ways.get(route)
    }

    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// What there may be clients for at `now`.
    pub fn pool_keys(&self, now: OffsetDateTime) -> HashSet<PoolKey> {
        self.ways.iter().flat_map(|way| way.pool_keys(now)).collect()
    }
}

impl Way {
    /// Whether a filter may select the client certificate `name` at `now`. `None`: upstream-mtls is not here.
    pub fn offer(&self, name: &str, now: OffsetDateTime) -> Option<Result<(), NoWay>> {
        let plugin = self.plugin.as_ref()?;
        let offered = if self.destination.https { plugin.named(name, now) } else { Err(NoWay::Plaintext) };
        Some(offered.map(drop))
    }

    /// The terms for a request whose filters selected a client certificate, or none.
    ///
    /// # Errors
    /// There is no such certificate, it is out of its validity, or nothing says which upstreams to believe.
    pub fn terms(&self, selected: Option<&str>, now: OffsetDateTime) -> Result<Terms, NoWay> {
        let default = self.plugin.as_ref().and_then(|plugin| plugin.default.as_deref());
        let certificate = match (selected.or(default), &self.plugin, &self.own) {
            (Some(name), Some(plugin), _) => Some(plugin.named(name, now)?),
            (Some(name), None, _) => {
                return Err(NoWay::Certificate { name: name.into(), why: Unusable::Unknown });
            }
            (None, _, Some(own)) => Some(usable("service.client_certificate", own, now)?),
            (None, _, None) => None,
        };
        match (self.destination.https, certificate) {
            (false, Some(_)) => Err(NoWay::Plaintext),
            (false, None) => Ok(Terms { certificate: None, verification: Verification::Off }),
            (true, certificate) => Ok(Terms { certificate, verification: self.verification()? }),
        }
    }

    fn verification(&self) -> Result<Verification, NoWay> {
        match self.plugin.as_ref().and_then(|plugin| plugin.trust.as_ref()) {
            Some((anchors, depth)) => {
                let anchors = anchors.in_force().map_err(NoWay::Trust)?;
                Ok(Verification::Against { anchors, depth: *depth })
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

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { name, why } => write!(f, "client certificate {name:?}: {why}"),
            Self::Plaintext => f.write_str(
                "the service is spoken to in plain HTTP, where no client certificate can be presented",
            ),
            Self::Trust(why) => write!(f, "trust anchors: {why}"),
        }
    }
}

struct Compiler<'b> {
    before: Option<&'b Upstreams>,
    upstreams: Upstreams,
    problems: Vec<String>,
}

impl Compiler<'_> {
    fn run(&mut self, config: &Config) {
        let entities: Vec<_> = (config.certificates.iter())
            .map(|entity| self.pair(&format!("certificate {}", entity.id), &entity.pair))
            .collect();
        let cas: Vec<_> = config.ca_certificates.iter().map(|ca| ca.pem.as_str()).collect();
        let global = config.upstream_mtls.as_ref().map(|mtls| self.plugin(mtls, &entities, &cas));
        let services: Vec<_> = (config.services.iter())
            .map(|service| {
                let own = service.client_certificate.and_then(|entity| entities.get(entity)?.clone());
                let plugin = service.upstream_mtls.as_ref().map(|mtls| self.plugin(mtls, &entities, &cas));
                (destination(service), plugin.or(global.clone()), own, self.verification(service, &cas))
            })
            .collect();
        for route in &config.routes {
            let Some((destination, plugin, own, verification)) = services.get(route.service) else {
                self.problems.push(format!("route {}: there is no service {}", route.name, route.service));
                continue;
            };
            let plugin = match &route.upstream_mtls {
                Some(mtls) => Some(self.plugin(mtls, &entities, &cas)),
                None => plugin.clone(),
            };
            let (own, verification) = (own.clone(), verification.clone());
            self.upstreams.ways.push(Way { destination: destination.clone(), plugin, own, verification });
        }
    }

    fn plugin(
        &mut self,
        mtls: &UpstreamMtls,
        entities: &[Option<Arc<Watched<ClientCertificate>>>],
        cas: &[&str],
    ) -> Arc<Plugin> {
        let UpstreamMtls {
            client_certificates,
            client_certificate,
            trust,
            tls_verify_depth,
            reload_interval,
        } = mtls;
        let mut certificates = BTreeMap::new();
        for client in client_certificates {
            let certificate = match &client.source {
                CertificateSource::Files { chain, key } => {
                    self.interval(*reload_interval);
                    Some(self.certificate_files(vec![chain.clone(), key.clone()]))
                }
                CertificateSource::Entity(index) => entities.get(*index).cloned().flatten(),
                CertificateSource::Inline(pair) => {
                    self.pair(&format!("client certificate {:?}", client.name), pair)
                }
            };
            certificates.extend(certificate.map(|certificate| (client.name.clone(), certificate)));
        }
        let anchors = match trust {
            None => None,
            Some(Trust::File(path)) => {
                self.interval(*reload_interval);
                Some(self.anchor_file(path.clone()))
            }
            Some(Trust::Entities(indices)) => {
                self.anchors("upstream-mtls", indices, cas).map(|anchors| Arc::new(Watched::fixed(anchors)))
            }
        };
        let trust = anchors.map(|anchors| (anchors, *tls_verify_depth));
        Arc::new(Plugin { certificates, default: client_certificate.clone(), trust })
    }

    fn verification(&mut self, service: &Service, cas: &[&str]) -> Verification {
        if service.tls_verify != Some(true) {
            return Verification::Off;
        }
        let place = format!("service {}", service.name);
        match self.anchors(&place, &service.ca_certificates, cas) {
            Some(anchors) => {
                let depth = service.tls_verify_depth.unwrap_or(DEPTH);
                Verification::Against { anchors: Arc::new(anchors), depth }
            }
            None => Verification::Off, // never used: there is a problem now
        }
    }

    fn anchors(&mut self, place: &str, indices: &[usize], cas: &[&str]) -> Option<Anchors> {
        let pems: Vec<_> = indices.iter().filter_map(|index| cas.get(*index).copied()).collect();
        match Anchors::parse(pems.join("\n").as_bytes()) {
            Ok(anchors) => Some(anchors),
            Err(why) => {
                self.problems.push(format!("{place}: ca_certificates: {why}"));
                None
            }
        }
    }

    fn pair(&mut self, place: &str, pair: &PemPair) -> Option<Arc<Watched<ClientCertificate>>> {
        match ClientCertificate::parse(pair.chain.as_bytes(), pair.key.as_bytes()) {
            Ok(certificate) => {
                let fixed = Arc::new(Watched::fixed(certificate));
                self.upstreams.certificates.push(fixed.clone());
                Some(fixed)
            }
            Err(why) => {
                self.problems.push(format!("{place}: {why}"));
                None
            }
        }
    }

    fn certificate_files(&mut self, paths: Vec<PathBuf>) -> Arc<Watched<ClientCertificate>> {
        let before = self.before.map(|before| &before.certificates);
        watched(paths, &mut self.upstreams.certificates, before)
    }

    fn anchor_file(&mut self, path: PathBuf) -> Arc<Watched<Anchors>> {
        let before = self.before.map(|before| &before.anchors);
        watched(vec![path], &mut self.upstreams.anchors, before)
    }

    fn interval(&mut self, asked: Duration) {
        let shortest = self.upstreams.interval.map_or(asked, |interval| interval.min(asked));
        self.upstreams.interval = Some(shortest);
    }
}

/// The one that watches `paths`: of this config, else of the one before, else a new one.
fn watched<T: Material>(
    paths: Vec<PathBuf>,
    here: &mut Vec<Arc<Watched<T>>>,
    before: Option<&Vec<Arc<Watched<T>>>>,
) -> Arc<Watched<T>> {
    let same = |watched: &&Arc<Watched<T>>| watched.paths() == paths;
    if let Some(known) = here.iter().find(same) {
        return known.clone();
    }
    let known = before.and_then(|before| before.iter().find(same)).cloned();
    let watched = known.unwrap_or_else(|| Arc::new(Watched::files(paths)));
    here.push(watched.clone());
    watched
}

fn destination(service: &Service) -> Arc<Destination> {
    Arc::new(Destination {
        https: service.protocol == Protocol::Https,
        host: service.host.clone(),
        port: service.port,
        connect_timeout: service.connect_timeout,
        retries: service.retries,
    })
}

/// nginx's `proxy_ssl_verify_depth`.
const DEPTH: u8 = 1;
