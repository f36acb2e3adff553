//! Where policies are written: on the service where all of its routes have one and the same.

use std::collections::BTreeMap;

use super::guards::{Guard, Place, service_name};
use super::people::People;
use super::rewrite::Rewrite;
use crate::migrate::policy::Policy;
use crate::migrate::report::{Notes, Outcome};
use crate::policy::Setup;

pub(super) fn put<'d>(
    setup: &Setup<'d>,
    guards: &[Guard<'_, 'd>],
    policies: &BTreeMap<Place, Policy>,
    people: &People<'d>,
    rewrite: &mut Rewrite,
    notes: &mut Notes<'d>,
) {
    let plugin = |policy: &Policy| policy.plugin(&people.of_policy(policy.anonymous.as_deref()));
    let mut whole = BTreeMap::new();
    for (index, service) in setup.services.iter().enumerate() {
        if let Some(policy) = common(setup, policies, index) {
            rewrite.add_plugin(service.node, plugin(policy));
            whole.insert(index, service_name(setup, index));
        }
    }
    for guard in guards {
        let Some(policy) = policies.get(&guard.place) else { continue };
        let service = guard.place.service(setup).and_then(|service| whole.get(&service));
        let at = match (service, guard.place) {
            (Some(service), _) => service.clone(),
            (None, Place::Route(route)) => {
                rewrite.add_plugin(setup.routes[route].node, plugin(policy));
                guard.place.name(setup)
            }
            (None, Place::Service(_)) => continue,
        };
        notes.add(Outcome::Mapped, guard.key_auth.node, format!("key-auth: mtls-policy on {at}"));
    }
}

/// The policy that all of a service's routes have, or the one that it has without any.
fn common<'p>(
    setup: &Setup<'_>,
    policies: &'p BTreeMap<Place, Policy>,
    service: usize,
) -> Option<&'p Policy> {
    let routes = (0..setup.routes.len()).filter(|route| setup.routes[*route].service == Some(service));
    let mut policies_of = routes.map(|route| policies.get(&Place::Route(route)));
    let Some(first) = policies_of.next() else { return policies.get(&Place::Service(service)) };
    let first = first?;
    let written = first.config(&[]).to_json();
    let same = policies_of.all(|other| other.is_some_and(|other| other.config(&[]).to_json() == written));
    same.then_some(first)
}
