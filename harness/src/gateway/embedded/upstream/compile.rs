//! From the declarative config to [`Upstreams`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::certificate::ClientCertificate;
use super::client::Destination;
use super::identity::CertificateRequest;
use super::revocation::RevocationLists;
use super::trust::{Against, Anchors, Verification};
use super::watched::{Material, Watched};
use super::way::{Plugin, PluginTrust, Upstreams, Way};
use kong_config::declarative::{CertificateSource, Config, PemPair, Service, Trust, UpstreamMtls};

impl Upstreams {
    /// Files that `before` has watched already are not watched anew: what was good in them is still good.
    ///
    /// # Errors
    /// Every certificate and CA certificate in the config itself that cannot be used.
    pub fn compile(config: &Config, before: Option<&Self>) -> Result<Self, Vec<String>> {
        let mut compiler = Compiler { before, upstreams: Self::default(), problems: Vec::new() };
        compiler.run(config);
        if compiler.problems.is_empty() { Ok(compiler.upstreams) } else { Err(compiler.problems) }
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
        let global =
            config.upstream_mtls.as_ref().map(|mtls| self.plugin("global".into(), mtls, &entities, &cas));
        let services: Vec<_> = (config.services.iter())
            .map(|service| {
                let own = service.client_certificate.and_then(|entity| entities.get(entity)?.clone());
                let plugin = service.upstream_mtls.as_ref();
                let plugin = plugin
                    .map(|mtls| self.plugin(format!("service {}", service.name), mtls, &entities, &cas));
                (
                    Arc::new(Destination::of(service)),
                    plugin.or(global.clone()),
                    own,
                    self.verification(service, &cas),
                )
            })
            .collect();
        for route in &config.routes {
            let Some((destination, plugin, own, verification)) = services.get(route.service) else {
                self.problems.push(format!("route {}: there is no service {}", route.name, route.service));
                continue;
            };
            let plugin = match &route.upstream_mtls {
                Some(mtls) => Some(self.plugin(format!("route {}", route.name), mtls, &entities, &cas)),
                None => plugin.clone(),
            };
            let (own, verification) = (own.clone(), verification.clone());
            self.upstreams.ways.push(Way { destination: destination.clone(), plugin, own, verification });
        }
    }

    fn plugin(
        &mut self,
        scope: String,
        mtls: &UpstreamMtls,
        entities: &[Option<Arc<Watched<ClientCertificate>>>],
        cas: &[&str],
    ) -> Arc<Plugin> {
        let UpstreamMtls {
            client_certificates,
            client_certificate,
            trust,
            tls_verify_depth,
            revocations,
            upstream_names,
            requires_request,
            expiry_warning,
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
            Some(Trust::Entities(indices)) => self
                .anchors(&format!("upstream-mtls, {scope}"), indices, cas)
                .map(|anchors| Arc::new(Watched::fixed(anchors))),
        };
        let revocations = revocations.as_ref().map(|path| {
            self.interval(*reload_interval);
            self.revocation_file(path.clone())
        });
        let (depth, names) = (*tls_verify_depth, upstream_names.as_slice().into());
        let trust = anchors.map(|anchors| PluginTrust { anchors, depth, revocations, names });
        let plugin = Arc::new(Plugin {
            scope,
            certificates,
            default: client_certificate.clone(),
            trust,
            request: if *requires_request {
                CertificateRequest::Required
            } else {
                CertificateRequest::Optional
            },
            expiry_warning: *expiry_warning,
        });
        self.upstreams.plugins.push(plugin.clone());
        plugin
    }

    fn verification(&mut self, service: &Service, cas: &[&str]) -> Verification {
        if service.tls_verify != Some(true) {
            return Verification::Off;
        }
        let place = format!("service {}", service.name);
        match self.anchors(&place, &service.ca_certificates, cas) {
            Some(anchors) => {
                let depth = service.tls_verify_depth.unwrap_or(Service::TLS_VERIFY_DEPTH);
                let anchors = Arc::new(anchors);
                Verification::Against(Against { anchors, depth, revocations: None, names: [].into() })
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

    fn revocation_file(&mut self, path: PathBuf) -> Arc<Watched<RevocationLists>> {
        let before = self.before.map(|before| &before.revocations);
        watched(vec![path], &mut self.upstreams.revocations, before)
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
