//! From `service.client_certificate` and the verification beside it to upstream-mtls.

use std::collections::{BTreeMap, BTreeSet};

use super::guards::{Place, in_force, service_name};
use super::rewrite::Rewrite;
use crate::migrate::certificate::common_name;
use crate::migrate::policy::{plugin, present};
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Kind, Service, Setup};
use kong_config::document::{Node, Value};

/// What the certificates of services are called from now on, by the services' indices: those that upstream-mtls presents.
pub(super) fn move_out<'d>(
    setup: &Setup<'d>,
    mapped: &BTreeSet<Place>,
    rewrite: &mut Rewrite,
    notes: &mut Notes<'d>,
) -> BTreeMap<usize, String> {
    let mut names = BTreeMap::new();
    for (index, service) in setup.services.iter().enumerate() {
        let Some(certificate) = service.node.get("client_certificate").filter(|_| service.presents()) else {
            continue;
        };
        let here: Vec<_> = mapped.iter().filter(|place| place.service(setup) == Some(index)).collect();
        if here.is_empty() {
            notes.add(Outcome::Stays, certificate, "no route of this service has had its key-auth mapped");
        } else if here.iter().any(|place| in_force(setup, **place, "upstream-mtls").is_some()) {
            notes.add(Outcome::Stays, certificate, "upstream-mtls is there already");
        } else if let Some(name) = named(setup, certificate, notes) {
            let all = setup.routes.iter().filter(|route| route.service == Some(index)).count();
            // Routes without a policy have presented it too.
            let open = here.len() < all;
            let presenter = presenter(service, certificate, &name, open, rewrite, notes);
            rewrite.add_plugin(service.node, presenter);
            let message = format!("upstream-mtls on {}, as {name:?}", service_name(setup, index));
            notes.add(Outcome::Mapped, certificate, message);
            names.insert(index, name);
        }
    }
    names
}

fn presenter(
    service: &Service<'_>,
    certificate: &Node,
    name: &str,
    open: bool,
    rewrite: &mut Rewrite,
    notes: &mut Notes<'_>,
) -> Node {
    rewrite.drop_field(service.node, "client_certificate");
    let id = [("id", reference(certificate).unwrap_or_default().into())].into_iter().collect();
    let held: Node = [("name", Node::from(name)), ("certificate", id)].into_iter().collect();
    let given = |field| service.node.get(field).filter(|node| !matches!(node.value, Value::Null));
    let verifies = given("tls_verify").is_some_and(|node| matches!(node.value, Value::Boolean(true)));
    let (mut anchors, mut depth) = (None, None);
    if verifies {
        ["tls_verify", "tls_verify_depth", "ca_certificates"].into_iter().for_each(|field| {
            rewrite.drop_field(service.node, field);
        });
        anchors = given("ca_certificates").filter(|list| !list.items().is_empty());
        depth = given("tls_verify_depth");
        if let Some(verify) = given("tls_verify") {
            notes.add(
                Outcome::Mapped,
                verify,
                "upstream-mtls verifies the upstream, by the same authorities",
            );
        }
    } else {
        let message = "the upstream is not verified by the service, nor by upstream-mtls: name its CA there when you can";
        notes.add(Outcome::Stays, given("tls_verify").unwrap_or(service.node), message);
    }
    let anchors = anchors.map(|list| list.items().iter().filter_map(reference).map(Node::from).collect());
    let config = present([
        ("client_certificates", Some([held].into_iter().collect())),
        ("client_certificate", open.then(|| name.into())),
        ("ca_certificates", anchors),
        ("tls_verify", Some(verifies.into())),
        ("tls_verify_depth", depth.cloned()),
    ]);
    plugin("upstream-mtls", config)
}

/// By what a certificate is to be known: as its subject, where that can be a name.
fn named<'d>(setup: &Setup<'d>, certificate: &'d Node, notes: &mut Notes<'d>) -> Option<String> {
    let id = reference(certificate);
    let entity = setup.entities.iter().find(|entity| {
        entity.kind == Kind::Certificate && entity.node.get("id").and_then(Node::as_str) == id && id.is_some()
    });
    let Some(entity) = entity else {
        let message = "a certificate that is in none of the files: the service goes on presenting it";
        notes.cure(Outcome::Unmapped, certificate, message, "give what /certificates tells too");
        return None;
    };
    let subject = entity.node.get("cert").and_then(Node::as_str).and_then(common_name);
    let short = id.unwrap_or_default().split('-').next().unwrap_or_default();
    Some(subject.unwrap_or_else(|| format!("certificate-{short}")))
}

/// An id, or `{id: …}`.
fn reference(node: &Node) -> Option<&str> {
    node.as_str().or_else(|| node.get("id")?.as_str())
}
