//! Policies and upstream-mtls configs among Kong's entities, as a running Kong or Kubernetes manifests have them.

use std::collections::HashSet;

use mtls_policy::policy::{Host, Policy};
use serde_json::Value;

use super::{Fault, Finding, Hop};
use kong_config::document::{Node, nearest};
use policy_tools::Engine;
use policy_tools::policy::{Placed, Scope, Setup, complaint, unknown_names, whole};

/// What is known besides the entities themselves.
#[derive(Default)]
pub(super) struct Known {
    /// The runtime that is loaded.
    pub(super) engine: Option<Engine>,
    /// Ids of certificate entities; `None`: unknown.
    pub(super) certificates: Option<HashSet<String>>,
    /// Ids of CA certificate entities; `None`: unknown.
    pub(super) ca_certificates: Option<HashSet<String>>,
}

/// Returns one finding for each fault, or one in all where there is none. Without any policy there is nothing to say.
pub(super) fn look(setup: &Setup<'_>, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in &setup.policies {
        let faults = mistakes(setup, policy, known.engine);
        let is_valid = !faults.iter().any(Fault::breaks);
        findings.extend(faults.into_iter().map(|fault| Finding::of(Hop::Policy, fault)));
        if is_valid {
            findings.extend(selected(setup, policy).into_iter().map(|fault| Finding::of(Hop::Policy, fault)));
        }
    }
    for presenter in &setup.presenters {
        findings.extend(
            entities(setup, presenter, known).into_iter().map(|fault| Finding::of(Hop::Config, fault)),
        );
    }
    findings.extend(setup.unread.iter().map(|(_, plugin)| {
        let why = format!("{}: takes its config from a Secret, which was not checked", resource(plugin));
        Finding::of(Hop::Policy, Fault::ConfigElsewhere { why })
    }));
    findings.sort_by_key(|finding| finding.hop);
    let mut unique: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        if !unique.contains(&finding) {
            unique.push(finding);
        }
    }
    if unique.iter().all(|finding| finding.hop != Hop::Policy) && !setup.policies.is_empty() {
        let told = match setup.policies.len() {
            1 => "1 policy is valid, and every client certificate that it selects is there".to_owned(),
            many => {
                format!("{many} policies are valid, and every client certificate that they select is there")
            }
        };
        unique.push(Finding::fine(Hop::Policy, told));
    }
    unique
}

/// What is wrong with a policy by itself.
fn mistakes(setup: &Setup<'_>, policy: &Placed<'_>, engine: Option<Engine>) -> Vec<Fault> {
    let at = describe(setup, policy);
    let is_filter = policy.chained || engine == Some(Engine::Wasm);
    let document = match policy.chained {
        true => Ok(policy.json()),
        false => whole(policy),
    };
    let document = match document {
        Ok(document) => document,
        Err(error) => return vec![Fault::PolicyRefused { why: format!("{at}: {error:#}") }],
    };
    let written: Value = serde_json::from_slice(&document).unwrap_or_default();
    let told = |problem: &mtls_policy::policy::Problem| {
        let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
        format!("{at}: {path}{}", complaint(&written, problem))
    };
    let host = if is_filter { Host::FILTER } else { Host::PLUGIN };
    if let Err(problems) = Policy::compile_for(&host, &document) {
        return problems.iter().map(|problem| Fault::PolicyRefused { why: told(problem) }).collect();
    }
    let mut faults = Vec::new();
    if engine.is_none() && !is_filter {
        let problems = Policy::compile_for(&Host::FILTER, &policy.json()).err();
        let problems = problems.iter().flat_map(|problems| problems.iter());
        faults.extend(problems.map(|problem| Fault::PluginOnly { why: told(problem) }));
    }
    let unknown = unknown_names(setup, policy).into_iter();
    faults.extend(unknown.map(|(path, why)| Fault::UnknownName { why: format!("{at}: {path}: {why}") }));
    faults
}

/// What is wrong with the certificates that a policy selects.
fn selected(setup: &Setup<'_>, policy: &Placed<'_>) -> Vec<Fault> {
    let at = describe(setup, policy);
    let names = policy_tools::policy::selected(policy);
    if names.is_empty() {
        return Vec::new();
    }
    // In manifests, annotations of other resources say which upstream-mtls it is.
    let presenters: Vec<Option<Vec<&Placed<'_>>>> = match policy.resource() {
        Some(_) => vec![Some(setup.presenters.iter().collect()).filter(|all: &Vec<_>| !all.is_empty())],
        None => Vec::new(),
    };
    let mut faults = Vec::new();
    let mut look = |held: &[&str]| {
        for (path, name) in names.iter().filter(|(_, name)| !held.contains(&name.as_str())) {
            let nearest = nearest(name, held.iter().copied()).map(str::to_owned);
            faults.push(Fault::UnknownCertificate {
                name: name.clone(),
                place: format!("{at}: {path}"),
                nearest,
            });
        }
    };
    for presenters in presenters.iter().flatten() {
        look(&presenters.iter().flat_map(|presenter| held(presenter)).collect::<Vec<_>>());
    }
    let mut without = Vec::new();
    for route in setup.routes_of(&policy.scope) {
        match setup.presenter(route) {
            Some(presenter) => look(&held(presenter)),
            None => without
                .push(Fault::NoPlugin { route: format!("{at}: route {:?}", setup.routes[route].label()) }),
        }
    }
    faults.extend(without);
    faults
}

/// The names of the client certificates that an upstream-mtls holds.
fn held<'d>(presenter: &Placed<'d>) -> Vec<&'d str> {
    let certificates = presenter.config.get("client_certificates").map(Node::items).unwrap_or_default();
    certificates.iter().filter_map(|one| one.get("name")?.as_str()).collect()
}

/// Ids of an upstream-mtls that no entity has. Kong accepts them, since it sees no foreign keys there.
fn entities(setup: &Setup<'_>, presenter: &Placed<'_>, known: &Known) -> Vec<Fault> {
    let at = describe(setup, presenter);
    let mut faults = Vec::new();
    let mut look = |known: &Option<HashSet<String>>, kind, id: Option<&str>, path: String| {
        if let (Some(known), Some(id)) = (known, id)
            && !known.contains(id)
        {
            faults.push(Fault::UnknownEntity { place: format!("{at}: {path}"), kind, id: id.to_owned() });
        }
    };
    let list = |field| presenter.config.get(field).map(Node::items).unwrap_or_default();
    for (number, client) in list("client_certificates").iter().enumerate() {
        let entity = client.get("certificate");
        let id = entity.and_then(|entity| entity.as_str().or_else(|| entity.get("id")?.as_str()));
        look(&known.certificates, "certificate", id, format!("client_certificates[{number}].certificate"));
    }
    for (number, ca) in list("ca_certificates").iter().enumerate() {
        let id = ca.as_str().or_else(|| ca.get("id")?.as_str());
        look(&known.ca_certificates, "CA certificate", id, format!("ca_certificates[{number}]"));
    }
    faults
}

/// Names a plugin or filter and where it is in force: `plugin mtls-policy (id …) on route "dogs"`.
fn describe(setup: &Setup<'_>, placed: &Placed<'_>) -> String {
    let text = |field: &str| placed.entity.get(field).and_then(Node::as_str).unwrap_or_default();
    let kind = if placed.chained { "filter" } else { "plugin" };
    let id = match text("id") {
        "" => String::new(),
        id => format!(" (id {id})"),
    };
    let place = match &placed.scope {
        Scope::Resource(name) => return format!("{name} ({})", text("plugin")),
        Scope::Alone => return "policy".to_owned(),
        Scope::Global => "for all routes".to_owned(),
        Scope::Elsewhere(of) => format!("on {of}, which is unknown here"),
        Scope::Route(route) => format!("on route {:?}", setup.routes[*route].label()),
        Scope::Service(service) => {
            let service = &setup.services[*service];
            let label = if service.name.is_empty() { service.id } else { service.name };
            let routes: Vec<_> = setup
                .routes_of(&placed.scope)
                .map(|route| format!("{:?}", setup.routes[route].label()))
                .collect();
            match routes.as_slice() {
                [] => format!("on service {label:?}, which has no routes"),
                [one] => format!("on service {label:?} (route {one})"),
                some if some.len() <= MOST_ROUTES => {
                    format!("on service {label:?} (routes {})", some.join(", "))
                }
                many => {
                    let first = many[..MOST_ROUTES].join(", ");
                    format!("on service {label:?} (routes {first} and {} more)", many.len() - MOST_ROUTES)
                }
            }
        }
    };
    format!("{kind} {}{id} {place}", text("name"))
}

/// The name of a KongPlugin.
fn resource(plugin: &Node) -> String {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let metadata = plugin.get("metadata");
    let field = |name: &str| text(metadata.and_then(|metadata| metadata.get(name)));
    let (kind, namespace, name) = (text(plugin.get("kind")), field("namespace"), field("name"));
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// How many routes of a service are named.
const MOST_ROUTES: usize = 5;
