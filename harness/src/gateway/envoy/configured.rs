//! The plan of a config by itself, for an Envoy without this driver: it watches the files on its own.

use std::sync::Arc;

use mtls_policy::envoy::Offer;

use super::plan::{Choice, Cluster, Material, Named, Plan, Secret, Source, Trust};
use crate::gateway::embedded::upstream::Destination;
use kong_config::declarative::{
    self, CertificateSource, Config, PemPair, Protocol, Route, Service, UpstreamMtls, UpstreamName,
};

impl Plan {
    /// Every certificate that the config names, whatever is in its files.
    pub fn configured(config: &Config) -> Self {
        let mut plan = Self::default();
        for route in &config.routes {
            let choice = Configured::of(config, route).choice(&mut plan);
            plan.choices.push(choice);
        }
        plan
    }
}

/// One route on its way to its service.
struct Configured<'c> {
    config: &'c Config,
    service: &'c Service,
    plugin: Option<&'c UpstreamMtls>,
    /// Unique to the service, or to the route where that has certificates of its own. `/` stands in no name.
    scope: String,
}

impl<'c> Configured<'c> {
    fn of(config: &'c Config, route: &'c Route) -> Self {
        let service = &config.services[route.service];
        let plugin =
            route.upstream_mtls.as_ref().or(service.upstream_mtls.as_ref()).or(config.upstream_mtls.as_ref());
        let scope = match &route.upstream_mtls {
            Some(_) => format!("{}/{}", service.label(), route.label()),
            None => service.label().to_owned(),
        };
        Self { config, service, plugin: plugin.filter(|_| service.protocol == Protocol::Https), scope }
    }

    fn choice(&self, plan: &mut Plan) -> Choice {
        let default = self.plugin.and_then(|plugin| plugin.client_certificate.as_ref());
        let mut choice = Choice::default();
        for client in self.plugin.iter().flat_map(|plugin| &plugin.client_certificates) {
            let cluster = self.add(plan, Some((&client.name, self.pair(&client.source))));
            if default == Some(&client.name) {
                choice.default = Some(cluster.clone());
            }
            choice.named.insert(client.name.clone(), Named { offer: Offer::InForce, cluster: Some(cluster) });
        }
        if default.is_none() {
            let own =
                self.service.client_certificate.map(|index| self.pair(&CertificateSource::Entity(index)));
            choice.default = Some(self.add(plan, own.map(|pair| ("service.client_certificate", pair))));
        }
        choice
    }

    fn add(&self, plan: &mut Plan, certificate: Option<(&str, Material)>) -> String {
        let name = match &certificate {
            Some((certificate, _)) => format!("{}/{certificate}", self.scope),
            None => self.scope.clone(),
        };
        let certificate =
            certificate.map(|(_, material)| Secret { name: format!("{name}/certificate"), material });
        let cluster = Cluster {
            destination: Arc::new(Destination::of(self.service)),
            certificate,
            trust: self.trust(),
        };
        plan.clusters.insert(name.clone(), cluster);
        name
    }

    fn pair(&self, source: &CertificateSource) -> Material {
        let inline = |pair: &PemPair| Material::Certificate {
            chain: Source::Inline(pair.chain.clone()),
            key: Source::Inline(pair.key.clone()),
        };
        match source {
            CertificateSource::Files { chain, key } => {
                Material::Certificate { chain: Source::File(chain.clone()), key: Source::File(key.clone()) }
            }
            CertificateSource::Entity(index) => inline(&self.config.certificates[*index].pair),
            CertificateSource::Inline(pair) => inline(pair),
        }
    }

    fn trust(&self) -> Option<Trust> {
        let trust = |anchors: Source, revocations: Option<Source>, depth, names: &[UpstreamName]| {
            let name = format!("{}/anchors", self.scope);
            let anchors = Secret { name, material: Material::Anchors { anchors, revocations } };
            Trust { anchors, depth, names: names.to_vec() }
        };
        let plugin = self.plugin.and_then(|plugin| {
            let anchors = match plugin.trust.as_ref()? {
                declarative::Trust::File(path) => Source::File(path.clone()),
                declarative::Trust::Entities(indices) => self.entities(indices),
            };
            let revocations = plugin.revocations.clone().map(Source::File);
            Some(trust(anchors, revocations, plugin.tls_verify_depth, &plugin.upstream_names))
        });
        plugin.or_else(|| {
            let depth = self.service.tls_verify_depth.unwrap_or(Service::TLS_VERIFY_DEPTH);
            (self.service.tls_verify == Some(true))
                .then(|| trust(self.entities(&self.service.ca_certificates), None, depth, &[]))
        })
    }

    fn entities(&self, indices: &[usize]) -> Source {
        let pems = indices.iter().map(|index| self.config.ca_certificates[*index].pem.as_str());
        Source::Inline(pems.collect::<Vec<_>>().join("\n"))
    }
}
