//! The plan of a running gateway: what of the certificates is in force now.
//!
//! A cluster's name ends in the identity of its connections, which is a digest over certificate, key, trust and
//! server name. What rotates therefore becomes another cluster, whose pool is empty; the one before goes, and its
//! connections with it.

use time::OffsetDateTime;

use mtls_policy::envoy::Offer;

use super::plan::{Choice, Cluster, Material, Named, Plan, Secret, Source, Trust};
use crate::gateway::embedded::upstream::{Against, Leaf, Terms, Upstreams, Verification, Way};
use kong_config::declarative::Config;

impl Plan {
    /// What may be presented at `now`.
    pub fn in_force(config: &Config, upstreams: &Upstreams, now: OffsetDateTime) -> Self {
        let mut plan = Self::default();
        for (index, route) in config.routes.iter().enumerate() {
            let service = config.services[route.service].label();
            let choice = upstreams.way(index).map(|way| plan.choice(service, way, now));
            plan.choices.push(choice.unwrap_or_default());
        }
        plan
    }

    fn choice(&mut self, service: &str, way: &Way, now: OffsetDateTime) -> Choice {
        let names = way.plugin.iter().flat_map(|plugin| plugin.certificates.keys());
        let named = names.filter_map(|name| {
            let named = match way.offer(name, now)?.and_then(|()| way.terms(Some(name), now)) {
                Ok(terms) => Named { offer: offer(&terms), cluster: Some(self.add(service, way, &terms)) },
                Err(no) => Named { offer: Offer::Not(no.word().to_owned()), cluster: None },
            };
            Some((name.clone(), named))
        });
        let named = named.collect();
        Choice { named, default: way.terms(None, now).ok().map(|terms| self.add(service, way, &terms)) }
    }

    fn add(&mut self, service: &str, way: &Way, terms: &Terms) -> String {
        let name = format!("{service}/{}", terms.pool_key(&way.destination).identity);
        let secret = |what, material| Secret { name: format!("{name}/{what}"), material };
        let certificate = terms.certificate.as_ref().map(|certificate| {
            let [chain, key] =
                [&certificate.pem.chain, &certificate.pem.key].map(|pem| Source::Inline(pem.clone()));
            secret("certificate", Material::Certificate { chain, key })
        });
        let trust = match &terms.verification {
            Verification::Off => None,
            Verification::Against(Against { anchors, depth, revocations, names }) => {
                let revocations = revocations.as_ref().map(|lists| Source::Inline(lists.pem.clone()));
                let anchors = Source::Inline(anchors.pem.clone());
                let anchors = secret("anchors", Material::Anchors { anchors, revocations });
                Some(Trust { anchors, depth: *depth, names: names.to_vec() })
            }
        };
        let cluster = Cluster { destination: way.destination.clone(), certificate, trust };
        self.clusters.insert(name.clone(), cluster);
        name
    }
}

/// The filter looks at the clock for each request, and so does not wait for the next look at the files.
fn offer(terms: &Terms) -> Offer {
    match &terms.certificate {
        Some(certificate) => {
            let Leaf { not_before, not_after, .. } = &certificate.leaf;
            Offer::Between(not_before.unix_timestamp(), not_after.unix_timestamp())
        }
        None => Offer::InForce,
    }
}
