//! From a gateway's config to the ways that are to be looked at.

use std::path::Path;

use super::patient::{Patient, Text, TrustedBy};
use super::{Fault, Finding, Hop, manifests, policy};
use kong_config::declarative::{
    self, Certificate, CertificateSource, Config, Protocol, Service, Trust, UpstreamMtls,
};

/// A way to an upstream, with a name for it.
pub struct Case {
    /// `SERVICE as CERTIFICATE`, or `SERVICE`.
    pub name: String,
    pub patient: Patient,
}

/// What a config says by itself, which may be one in Kubernetes manifests, and the ways in it: of each service, one for each client certificate that may be
/// presented there, and one without where there is none.
#[must_use]
pub fn patients(file: &Path) -> (Vec<Finding>, Vec<Case>) {
    if let Some(findings) = manifests::examine(file) {
        return (findings, Vec::new());
    }
    let filters = ["mtls-policy".to_owned()].into();
    let config = match declarative::load(file, &filters) {
        Ok(config) => config,
        Err(problems) => {
            let why = problems.to_string().replace('\n', "; ");
            return (vec![Finding::of(Hop::Config, Fault::ConfigRefused { why })], Vec::new());
        }
    };
    let told = format!("{} services, {} routes", config.services.len(), config.routes.len());
    let mut findings = vec![Finding::fine(Hop::Config, told)];
    findings.extend(policy::look(&config));
    let cases =
        config.services.iter().enumerate().flat_map(|(index, service)| cases(&config, index, service));
    (findings, cases.collect())
}

fn cases(config: &Config, index: usize, service: &Service) -> Vec<Case> {
    let own = service.upstream_mtls.as_ref().or(config.upstream_mtls.as_ref());
    let of_routes = config.routes.iter().filter(|route| route.service == index);
    let mut plugins: Vec<_> = of_routes.filter_map(|route| policy::plugin(config, route)).collect();
    if plugins.is_empty() {
        plugins.extend(own);
    }
    plugins.dedup_by(|one, other| std::ptr::eq(*one, *other));
    let mut cases = Vec::new();
    for plugin in &plugins {
        for client in &plugin.client_certificates {
            let pair = match &client.source {
                CertificateSource::Files { chain, key } => {
                    (Text::File(chain.clone()), Text::File(key.clone()))
                }
                CertificateSource::Inline(pair) => {
                    (Text::Inline(pair.chain.clone()), Text::Inline(pair.key.clone()))
                }
                CertificateSource::Entity(index) => entity(&config.certificates[*index]),
            };
            let name = format!("{} as {}", service.label(), client.name);
            cases.push(Case { name, patient: patient(config, service, Some(plugin), Some(pair)) });
        }
    }
    if cases.is_empty() {
        let pair = service.client_certificate.map(|index| entity(&config.certificates[index]));
        let plugin = plugins.first().copied();
        cases
            .push(Case { name: service.label().to_owned(), patient: patient(config, service, plugin, pair) });
    }
    cases
}

fn entity(certificate: &Certificate) -> (Text, Text) {
    (Text::Inline(certificate.pair.chain.clone()), Text::Inline(certificate.pair.key.clone()))
}

fn patient(
    config: &Config,
    service: &Service,
    plugin: Option<&UpstreamMtls>,
    client: Option<(Text, Text)>,
) -> Patient {
    let entities = |indices: &[usize]| {
        let pems: Vec<_> = indices.iter().map(|index| config.ca_certificates[*index].pem.as_str()).collect();
        Text::Inline(pems.join("\n"))
    };
    let of_plugin = plugin.and_then(|plugin| {
        Some(TrustedBy {
            anchors: match plugin.trust.as_ref()? {
                Trust::File(path) => Text::File(path.clone()),
                Trust::Entities(indices) => entities(indices),
            },
            depth: plugin.tls_verify_depth,
            revocations: plugin.revocations.clone().map(Text::File),
            names: plugin.upstream_names.clone(),
        })
    });
    let of_service = || {
        (service.tls_verify == Some(true)).then(|| TrustedBy {
            anchors: entities(&service.ca_certificates),
            depth: service.tls_verify_depth.unwrap_or(Service::TLS_VERIFY_DEPTH),
            revocations: None,
            names: Vec::new(),
        })
    };
    Patient {
        host: service.host.clone(),
        port: service.port,
        server_name: service.host.clone(),
        is_https: service.protocol == Protocol::Https,
        client,
        trust: of_plugin.or_else(of_service),
        path: service.path.clone().unwrap_or_else(|| "/".to_owned()),
    }
}
