//! Ways around a policy, and names that only Kong could know.

use super::{field, warning};
use crate::policy::{Finding, Placed, Scope, Setup};
use kong_config::document::{Node, nearest};

/// Routes without any policy to an upstream that others reach under one by mutual TLS.
pub(super) fn unguarded<'d>(setup: &Setup<'d>) -> Vec<Finding<'d>> {
    // Policies on what is not here could be on any of these routes.
    if setup.policies.iter().any(|policy| matches!(policy.scope, Scope::Elsewhere(_) | Scope::Resource(_))) {
        return Vec::new();
    }
    let guarded = |route: usize| setup.deciding(route).next().is_some();
    let open = (0..setup.routes.len()).filter(|route| !guarded(*route));
    let finding = |index: usize| {
        let route = &setup.routes[index];
        let service = &setup.services[route.service?];
        let siblings = (0..setup.routes.len()).filter(|other| setup.routes[*other].service == route.service);
        let presented = setup.presenter(index).is_some_and(|presenter| presenter.scope != Scope::Global);
        if !service.is_tls() || !(service.presents() || presented || siblings.into_iter().any(guarded)) {
            return None;
        }
        let at = route.node.get("name").unwrap_or(route.node).span.clone();
        let message = format!(
            "route {:?} has no mtls-policy, though its upstream is one of mutual TLS: whoever reaches it asks no key",
            route.label()
        );
        let help = "put mtls-policy on the route or on its service";
        Some(Finding::warning("no_policy", route.document, at, message).help(help))
    };
    open.filter_map(finding).collect()
}

/// Consumers and groups that rules name, where Kong establishes them and its own are in the documents too. Where the
/// policy has consumers of its own, its compiler has looked.
pub(super) fn unknown_names<'d>(setup: &Setup<'d>, policy: &Placed<'d>) -> Vec<Finding<'d>> {
    let gateway = field(policy, "authentication").and_then(Node::as_str) == Some("gateway");
    let Some(known) = setup.established.as_ref().filter(|_| gateway) else { return Vec::new() };
    let mut findings = Vec::new();
    let rules = field(policy, "rules").map(Node::items).unwrap_or_default();
    for (number, rule) in rules.iter().enumerate() {
        for (kind, names) in [("groups", &known.groups), ("consumers", &known.usernames)] {
            let named = rule.get("match").and_then(|conditions| conditions.get(kind));
            for (at, name) in named.map(Node::items).unwrap_or_default().iter().enumerate() {
                let Some(name) = name.as_str().filter(|name| !names.contains(name)) else { continue };
                let near = nearest(name, names.iter().copied())
                    .map(|near| format!(" (did you mean {near:?}?)"))
                    .unwrap_or_default();
                let message = match kind {
                    "groups" => format!("none of Kong's consumers is in group {name:?}{near}"),
                    _ => format!("Kong has no consumer {name:?}{near}"),
                };
                findings.push(warning(
                    policy,
                    "unknown_name",
                    format!("rules[{number}].match.{kind}[{at}]"),
                    message,
                ));
            }
        }
    }
    findings
}
