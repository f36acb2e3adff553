//! What policies select, held against what upstream-mtls has.

use std::fmt::Display;

use mtls_policy::policy::{Host, Policy};
use serde_json::Value;

use super::{Fault, Finding, Hop};
use kong_config::declarative::{Config, Filter, Route, UpstreamMtls};
use kong_config::document::nearest;
use policy_tools::consumers_file;
use policy_tools::policy::complaint;

/// One finding for each fault; one in all where there is none. Without any policy there is nothing to say.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut policies = 0;
    for route in &config.routes {
        let service = &config.services[route.service];
        let plugin = plugin(config, route);
        for filter in
            service.filters.iter().chain(&route.filters).filter(|filter| filter.name == "mtls-policy")
        {
            policies += 1;
            findings.extend(
                faults(filter, route, plugin).into_iter().map(|fault| Finding::of(Hop::Policy, fault)),
            );
        }
    }
    findings.dedup();
    if findings.is_empty() && policies > 0 {
        findings.push(Finding::fine(Hop::Policy, "every client certificate that is selected is there"));
    }
    findings
}

/// The instance of upstream-mtls that serves a route, as Kong chooses it.
pub(super) fn plugin<'c>(config: &'c Config, route: &'c Route) -> Option<&'c UpstreamMtls> {
    let service = &config.services[route.service];
    route.upstream_mtls.as_ref().or(service.upstream_mtls.as_ref()).or(config.upstream_mtls.as_ref())
}

fn faults(filter: &Filter, route: &Route, plugin: Option<&UpstreamMtls>) -> Vec<Fault> {
    let at_its_place = |why: &dyn Display| format!("{}: {why}", filter.place);
    let whole = match consumers_file::put_into(filter.config.clone()) {
        Ok(whole) => whole,
        Err(error) => return vec![Fault::PolicyRefused { why: at_its_place(&format_args!("{error:#}")) }],
    };
    if let Err(problems) = Policy::compile_for(&Host::PLUGIN, &whole) {
        let written: Value = serde_json::from_slice(&whole).unwrap_or_default();
        let told = |problem: &mtls_policy::policy::Problem| match problem.path.as_str() {
            "" => complaint(&written, problem),
            path => format!("{path}: {}", complaint(&written, problem)),
        };
        let refused = |problem| Fault::PolicyRefused { why: at_its_place(&told(problem)) };
        return problems.iter().map(refused).collect();
    }
    // Only the gateway knows which of the two it has.
    let of_the_plugin = Policy::compile(&filter.config).err();
    let of_the_plugin = of_the_plugin.iter().flat_map(|problems| problems.iter());
    let of_the_plugin = of_the_plugin.map(|why| Fault::PluginOnly { why: at_its_place(why) });
    of_the_plugin.chain(selected(filter, route, plugin)).collect()
}

/// What is wrong with the certificates that a policy selects.
fn selected(filter: &Filter, route: &Route, plugin: Option<&UpstreamMtls>) -> Vec<Fault> {
    let policy: Value = serde_json::from_slice(&filter.config).unwrap_or_default();
    let rules = policy["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rules = rules.iter().enumerate().filter_map(|(index, rule)| {
        Some((
            format!("{}: rules[{index}].client_certificate", filter.place),
            rule["client_certificate"].as_str()?,
        ))
    });
    let default = policy["client_certificate"].as_str();
    let default = default.map(|name| (format!("{}: client_certificate", filter.place), name));
    let mut selected = default.into_iter().chain(rules).peekable();
    let Some(plugin) = plugin else {
        let none = selected.peek().map(|_| Fault::NoPlugin { route: format!("route {}", route.label()) });
        return none.into_iter().collect();
    };
    let names = || plugin.client_certificates.iter().map(|one| one.name.as_str());
    selected
        .filter(|(_, name)| names().all(|known| known != *name))
        .map(|(place, name)| {
            let nearest = nearest(name, names()).map(str::to_owned);
            Fault::UnknownCertificate { name: name.to_owned(), place, nearest }
        })
        .collect()
}
