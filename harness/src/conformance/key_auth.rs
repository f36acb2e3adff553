//! Kong's own key-auth on a real Kong: the oracle for what it has an option for.
//!
//! A policy becomes the plugin's config, its consumers become Kong's, and the same case is asked.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::gateway::up;
use super::routes::Routes;
use super::{Asked, CERTIFICATES, Host, Shown};
use crate::cases::{Case, Expected, Mistake, Suite, http};
use crate::gateway::Gateway;
use crate::stack::{Keys, Stack};

pub(super) struct KeyAuth {
    routes: Routes,
    stack: Stack,
    request_id: &'static str,
}

impl KeyAuth {
    /// # Errors
    /// Kong does not come up, or two policies say different things of one consumer.
    pub(super) fn up(kong: &dyn Gateway, suites: &[Suite]) -> anyhow::Result<Self> {
        let routes = Routes::of(suites, is_asked);
        let consumers = consumers(suites)?;
        let stack = up(kong, &routes.config(Some(CERTIFICATES[0]), decides, consumers))?;
        Ok(Self { routes, stack, request_id: kong.request_id_header() })
    }
}

impl Host for KeyAuth {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keys(&self) -> &Keys {
        self.stack.keys()
    }

    fn ask(&self, case: &Case) -> anyhow::Result<Asked> {
        if let Some(because) = why_not(case) {
            return Ok(Asked::Not(because.to_owned()));
        }
        let prefix = self.routes.prefix(case).context("a case has no route")?;
        let bytes = case.request.bytes(&prefix, self.keys())?;
        http::ask(&self.stack, &bytes, self.request_id).map(Asked::Came)
    }

    fn show(&self, _: &Mistake) -> anyhow::Result<Shown> {
        Ok(Shown::Not("has a schema of its own".to_owned()))
    }
}

fn is_asked(case: &Case) -> bool {
    why_not(case).is_none() && !matches!(case.expected(NAME), Expected::NotAsked(_))
}

/// What key-auth has no option for.
fn why_not(case: &Case) -> Option<&'static str> {
    let policy = case.policy.as_ref()?;
    if policy.get("rules").is_some() {
        return Some("has no rules");
    }
    if policy.get("authentication").is_some_and(|who| who != "api_key") {
        return Some("is itself the gateway's own authentication");
    }
    if ["key_authorization", "key_cookies"].iter().any(|field| policy.get(field).is_some()) {
        return Some("looks neither into cookies nor behind a scheme");
    }
    if policy["client_certificate"] != CERTIFICATES[0] {
        return Some("selects no certificate");
    }
    if case.request.now.is_some() {
        return Some("its clock cannot be set");
    }
    if !case.request.has_path() {
        return Some("no route's prefix can stand before such a target");
    }
    None
}

fn decides(policy: &Value) -> Vec<Value> {
    const SAME: [&str; 7] = [
        "anonymous",
        "hide_credentials",
        "key_in_header",
        "key_in_query",
        "key_names",
        "realm",
        "run_on_preflight",
    ];
    let config: Map<_, _> =
        SAME.iter().filter_map(|name| Some(((*name).to_owned(), policy.get(name)?.clone()))).collect();
    vec![json!({"name": "key-auth", "config": config})]
}

/// Kong's consumers are one and the same for all routes.
fn consumers(suites: &[Suite]) -> anyhow::Result<Vec<Value>> {
    let mut all: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
    let cases = suites.iter().flat_map(|suite| &suite.cases).filter(|case| is_asked(case));
    for policy in cases.filter_map(|case| case.policy.as_ref()) {
        for written in policy["consumers"].as_array().into_iter().flatten() {
            let (consumer, credentials) = consumer(written);
            let username = consumer["username"].as_str().unwrap_or_default().to_owned();
            let known = all.entry(username.clone()).or_insert_with(|| (consumer.clone(), Vec::new()));
            ensure!(known.0 == consumer, "key-auth: two policies differ about the consumer {username:?}");
            known.1.extend(credentials);
        }
    }
    let whole = |(mut consumer, mut credentials): (Value, Vec<Value>)| {
        credentials.sort_by_key(ToString::to_string);
        credentials.dedup();
        consumer["keyauth_credentials"] = credentials.into();
        consumer
    };
    Ok(all.into_values().map(whole).collect())
}

/// Its keys become credentials; those that are not valid now are none.
fn consumer(written: &Value) -> (Value, Vec<Value>) {
    let mut consumer = json!({"username": written["username"]});
    for field in ["id", "custom_id"] {
        if let Some(value) = written.get(field) {
            consumer[field] = value.clone();
        }
    }
    let keys = written["keys"].as_array().into_iter().flatten().filter(|key| is_valid(key));
    let credentials = keys.map(|key| {
        // `<ann>` is the digest of what `<key of ann>` is.
        let name = key["sha256"].as_str().unwrap_or_default().trim_matches(['<', '>']);
        json!({"id": key["id"], "key": format!("<key of {name}>")})
    });
    (consumer, credentials.collect())
}

fn is_valid(key: &Value) -> bool {
    let now = OffsetDateTime::now_utc();
    let time = |field: &str| OffsetDateTime::parse(key[field].as_str()?, &Rfc3339).ok();
    time("not_before").is_none_or(|from| from <= now) && time("not_after").is_none_or(|to| now <= to)
}

const NAME: &str = "key-auth";
