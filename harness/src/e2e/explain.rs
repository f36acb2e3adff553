//! Why a request got what it got: its route, who was asking, and the rule that decided, by the policy's own core.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue};
use mtls_policy::policy::{Caller, Certificate, Decision, Policy, Reason};
use serde_json::{Value, json};

use crate::cases::Request;
use crate::cases::core::Filled;
use crate::gateway::declarative::{self, Config};
use crate::gateway::embedded::router::{RouteRequest, Router};
use crate::gateway::embedded::uri::Target;
use crate::stack::Keys;

/// Knows a config's routes and policies.
pub struct Explainer(Result<(Config, Router), String>);

impl Explainer {
    /// Of a config as the gateway was given it.
    pub fn of(config: &str) -> Self {
        let filters = BTreeSet::from([FILTER.to_owned()]);
        let read = declarative::parse(config, "config", &filters);
        Self(
            read.map(|config| {
                let router = Router::new(&config);
                (config, router)
            })
            .map_err(|problems| format!("the config holds what only its own gateway reads: {problems}")),
        )
    }

    /// A line for each thing that can be said.
    pub fn explain(&self, request: &Request, keys: &Keys) -> Vec<String> {
        let told = match &self.0 {
            Ok((config, router)) => explain(config, router, request, keys),
            Err(why) => Err(anyhow!("{why}")),
        };
        told.unwrap_or_else(|why| vec![format!("no explanation: {why:#}")])
    }
}

fn explain(config: &Config, router: &Router, request: &Request, keys: &Keys) -> anyhow::Result<Vec<String>> {
    let mut filled = Filled::of(request, keys)?;
    let sent = String::from_utf8(request.target.fill(keys, "")?).context("the target is not UTF-8")?;
    let target = Target::parse(&sent)?;
    let method = String::from_utf8_lossy(&filled.method).into_owned();
    let host = String::from_utf8_lossy(&filled.authority).into_owned();
    let headers = headers(&filled);
    let asked =
        RouteRequest { method: &method, host: Some(&host), port: 80, target: &target, headers: &headers };
    let found = router.route(&asked).context("no route matches")?;
    let (route, service) = (&config.routes[found.route], &config.services[found.service]);
    filled.target = found.upstream_uri.into_bytes();
    let mut told = vec![format!("route: {:?} of service {:?}", route.name, service.name)];
    let filters = service.filters.iter().chain(&route.filters).filter(|filter| filter.name == FILTER);
    for filter in filters {
        told.extend(decision(&filter.config, &filled)?);
    }
    if told.len() == 1 {
        told.push("no policy decides on this route".to_owned());
    }
    Ok(told)
}

fn decision(document: &[u8], filled: &Filled) -> anyhow::Result<Vec<String>> {
    let compile = |document: &[u8]| Policy::compile(document).map_err(|problems| anyhow!("{problems}"));
    let policy = compile(document)?;
    let established = filled.established();
    Ok(match filled.decide(&policy, established.as_ref()) {
        Decision::Refuse(refusal) => vec![format!("refused with {}: {}", refusal.status, refusal.reason)],
        Decision::Allow(allow) => {
            let certificate = match allow.certificate {
                Certificate::Present(name) => format!("client certificate {:?}", name.as_str()),
                Certificate::Unchanged => "the upstream's own setting".to_owned(),
            };
            let telling = compile(&telling(document)?)?;
            let by = match filled.decide(&telling, established.as_ref()) {
                Decision::Refuse(refusal) => match refusal.reason {
                    Reason::Denied { rule } => format!("rules[{rule}]"),
                    _ => "another reason".to_owned(),
                },
                Decision::Allow(_) => "no rule matches: the default".to_owned(),
            };
            vec![format!("caller: {}", caller(&allow.caller)), format!("{by}: {certificate}")]
        }
    })
}

/// The policy with a denial in each of its rules, since only denials tell which rule they are of.
fn telling(document: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut policy: Value = serde_json::from_slice(document)?;
    for rule in policy.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = rule.as_object_mut() {
            fields.remove("client_certificate");
            fields.insert("deny".to_owned(), json!({}));
        }
    }
    Ok(policy.to_string().into_bytes())
}

fn caller(caller: &Caller<'_>) -> String {
    match caller {
        Caller::Anonymous(consumer) => {
            format!("{:?}, who stands for requests without a valid key", consumer.username)
        }
        Caller::Consumer(consumer, key) => format!("{:?} by key {:?}", consumer.username, key.id),
        Caller::Established(who) => {
            format!("{:?}, established by the gateway", who.username.unwrap_or_default())
        }
        Caller::Nobody => "nobody: a preflight".to_owned(),
    }
}

fn headers(filled: &Filled) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &filled.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

const FILTER: &str = "mtls-policy";
