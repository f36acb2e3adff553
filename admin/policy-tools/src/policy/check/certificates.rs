//! Client certificates that are selected, held against those that upstream-mtls has.

use super::{value, warning};
use crate::policy::{Finding, Placed, Setup};
use kong_config::document::{Node, nearest};

pub(super) fn look<'d>(setup: &Setup<'d>, policy: &Placed<'d>) -> Vec<Finding<'d>> {
    let selected = selected(policy);
    let routes =
        || setup.routes_of(&policy.scope).map(|route| (&setup.routes[route], setup.presenter(route)));
    let mut findings = Vec::new();
    for (path, name) in &selected {
        let mut near = None;
        let lacks = |presenter: &Placed<'_>, near: &mut Option<String>| {
            let held = presenter.config.get("client_certificates").map(Node::items).unwrap_or_default();
            let names = || held.iter().filter_map(|one| one.get("name")?.as_str());
            let lacks = names().all(|known| known != name);
            if lacks && near.is_none() {
                *near = nearest(name, names()).map(|near| format!(" (did you mean {near:?}?)"));
            }
            lacks
        };
        let routes = routes().filter(|(_, presenter)| presenter.is_some_and(|one| lacks(one, &mut near)));
        let routes: Vec<_> = routes.map(|(route, _)| route.label()).collect();
        if routes.is_empty() {
            continue;
        }
        let message = format!(
            "upstream-mtls holds no client certificate {name:?} on {}{}: requests get a 503",
            named(&routes),
            near.unwrap_or_default()
        );
        let help = "add it to the client_certificates of that instance of upstream-mtls";
        findings.push(warning(policy, "unknown_certificate", path.clone(), message).help(help));
    }
    findings.extend(unknown_in_manifests(setup, policy, &selected));
    let unserved: Vec<_> =
        routes().filter(|(_, presenter)| presenter.is_none()).map(|(route, _)| route.label()).collect();
    if let Some((path, name)) = selected.first().filter(|_| !unserved.is_empty()) {
        let message = format!(
            "no upstream-mtls serves {}, to present {name:?} there: requests get a 503",
            named(&unserved)
        );
        let help = "put upstream-mtls, with this client certificate, on the route, its service, or globally";
        findings.push(warning(policy, "no_presenter", path.clone(), message).help(help));
    }
    findings
}

/// In manifests, annotations of other resources say which upstream-mtls serves a policy's requests. A name that none of
/// them has is wrong in any case.
fn unknown_in_manifests<'d>(
    setup: &Setup<'d>,
    policy: &Placed<'d>,
    selected: &[(String, String)],
) -> Vec<Finding<'d>> {
    let held: Vec<_> = setup.presenters.iter().filter(|presenter| presenter.resource().is_some()).collect();
    if policy.resource().is_none() || held.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = held
        .iter()
        .flat_map(|presenter| {
            presenter.config.get("client_certificates").map(Node::items).unwrap_or_default()
        })
        .filter_map(|one| one.get("name")?.as_str())
        .collect();
    let unknown = selected.iter().filter(|(_, name)| !names.contains(&name.as_str()));
    let finding = |(path, name): &(String, String)| {
        let near = nearest(name, names.iter().copied()).map(|near| format!(" (did you mean {near:?}?)"));
        let message = format!(
            "none of the upstream-mtls KongPlugins has a client certificate {name:?}{}: requests are answered with 503",
            near.unwrap_or_default()
        );
        let help = "add it to the client_certificates of the upstream-mtls KongPlugin on the Service";
        warning(policy, "unknown_certificate", path.clone(), message).help(help)
    };
    unknown.map(finding).collect()
}

/// Names of client certificates that a policy selects, each with its path.
pub fn selected(policy: &Placed<'_>) -> Vec<(String, String)> {
    let document = value(policy);
    let name = |value: &serde_json::Value| value["client_certificate"].as_str().map(str::to_owned);
    let default = name(&document).map(|name| ("client_certificate".to_owned(), name));
    let rules = document["rules"].as_array().cloned().unwrap_or_default();
    let rules = rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| Some((format!("rules[{index}].client_certificate"), name(rule)?)));
    default.into_iter().chain(rules).collect()
}

/// `route "a"`, or `routes "a", "b"`.
fn named(routes: &[&str]) -> String {
    let quoted: Vec<_> = routes.iter().map(|route| format!("{route:?}")).collect();
    format!("route{} {}", if routes.len() == 1 { "" } else { "s" }, quoted.join(", "))
}
