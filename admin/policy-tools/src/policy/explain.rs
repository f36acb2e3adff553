//! What becomes of a request and why: who was asking, which rule decided, and what kept those before it from deciding.

mod words;

use anyhow::{Context, anyhow, bail};
use mtls_policy::policy::{Caller, Decision, Host, Policy};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::route::Routing;
use super::{Document, Outcome, Placed, Request, Rules, Setup, Verdict, Who, check};
use crate::keys::ApiKey;

pub use words::text;

/// A request, and who sends it.
pub struct Question {
    /// As the client sends it; where `upstream` says so or there are no routes, as the upstream would receive it.
    pub request: Request,
    pub asker: Asker,
    /// Name or id of a route, or in Kubernetes manifests the name of a KongPlugin.
    pub route: Option<String>,
    /// Whether the request's target is that which the upstream would receive.
    pub upstream: bool,
    pub now: OffsetDateTime,
}

/// Who sends a request.
pub enum Asker {
    /// Somebody with a valid key, or whom the gateway has established; with groups beside those that the policy has.
    Consumer {
        username: String,
        groups: Vec<String>,
    },
    Key(ApiKey),
    /// Somebody without a key.
    Nobody,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `None`: a policy alone.
    pub route: Option<String>,
    /// What the rules looked at. Without the query, which may hold a key.
    pub upstream_path: String,
    /// What each policy on the way says; the first that refuses is the last.
    pub policies: Vec<Decided>,
}

/// What one policy says.
#[derive(Debug, Serialize)]
pub struct Decided {
    /// Where the policy stands: `kong.yml:12`.
    pub place: String,
    /// As whom the request passes; `None`: it does not.
    pub caller: Option<String>,
    pub outcome: Outcome,
    /// What decided: `rules[2]`, `client_certificate`, `authentication` or `path`.
    pub by: String,
    /// The rules up to the one that decided.
    pub rules: Vec<Looked>,
}

/// A rule that was looked at.
#[derive(Debug, Serialize)]
pub struct Looked {
    pub rule: usize,
    /// Where it stands: `kong.yml:20`.
    pub place: String,
    pub matches: bool,
    pub conditions: Vec<Held>,
}

/// One condition of a rule.
#[derive(Debug, Serialize)]
pub struct Held {
    pub field: String,
    pub holds: bool,
    /// What the rule wants, and what the request is.
    pub why: String,
}

impl Explanation {
    /// Whether the upstream would hear of it.
    pub fn is_allowed(&self) -> bool {
        !self.policies.iter().any(|one| matches!(one.outcome, Outcome::Refused { .. }))
    }
}

/// Asks every policy on the request's way.
///
/// # Errors
/// The question cannot be put: no such route or consumer, or a policy that is not valid.
pub fn explain(setup: &Setup<'_>, question: &Question) -> anyhow::Result<Explanation> {
    let (route, request) = routed(setup, question)?;
    let deciding: Vec<_> = match route {
        Some(route) => setup.deciding(route).collect(),
        None => match &question.route {
            Some(name) => vec![resource(setup, name)?],
            None => setup.policies.iter().collect(),
        },
    };
    if let (None, [_, _, ..]) = (route, deciding.as_slice()) {
        match resources(setup).as_slice() {
            [] => bail!(
                "several policies are in these files: select one with --route NAME, or give a file with one"
            ),
            names => bail!(
                "several policies are in these files: select one with --route; they are: {}",
                names.join(", ")
            ),
        }
    }
    let mut policies = Vec::new();
    for policy in deciding {
        let decided = decide(policy, &request, &question.asker, question.now)?;
        let refused = matches!(decided.outcome, Outcome::Refused { .. });
        policies.push(decided);
        if refused {
            break;
        }
    }
    Ok(Explanation {
        route: route.map(|route| setup.routes[route].label().to_owned()),
        upstream_path: request.path().to_owned(),
        policies,
    })
}

/// The route that the request takes, and the request as the upstream would receive it.
fn routed(setup: &Setup<'_>, question: &Question) -> anyhow::Result<(Option<usize>, Request)> {
    let request = question.request.clone();
    let named = match &question.route {
        // A manifest has KongPlugins instead of routes.
        Some(_) if setup.routes.is_empty() && !resources(setup).is_empty() => None,
        Some(name) => Some(setup.route(name).ok_or_else(|| no_route(setup, name))?),
        None => None,
    };
    if setup.routes.is_empty() || (question.upstream && named.is_some()) {
        return Ok((named, request));
    }
    if question.upstream {
        bail!("--upstream-path needs --route: without it nobody knows where the request came from");
    }
    let (taken, target) = Routing::of(setup)?.take(&request)?;
    if let Some(named) = named.filter(|named| *named != taken) {
        let (named, taken) = (setup.routes[named].label(), setup.routes[taken].label());
        bail!(
            "this request does not take route {named:?} but {taken:?}: leave --route out, or ask by --upstream-path"
        );
    }
    Ok((Some(taken), Request { target, ..request }))
}

/// The KongPlugins of mtls-policy, `KongPlugin NAMESPACE/NAME`.
fn resources<'s>(setup: &'s Setup<'_>) -> Vec<&'s str> {
    setup.policies.iter().filter_map(Placed::resource).collect()
}

/// The policy of the KongPlugin with this name, which may be written without its kind and its namespace.
fn resource<'s, 'd>(setup: &'s Setup<'d>, name: &str) -> anyhow::Result<&'s Placed<'d>> {
    let is_named = |policy: &&Placed<'_>| {
        let full = policy.resource().unwrap_or_default();
        let without_kind = full.split_once(' ').map_or("", |(_, rest)| rest);
        let without_namespace = without_kind.split_once('/').map_or(without_kind, |(_, rest)| rest);
        [full, without_kind, without_namespace].contains(&name)
    };
    let found: Vec<_> = setup.policies.iter().filter(is_named).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => bail!("unknown KongPlugin {name:?}; those with a policy are: {}", resources(setup).join(", ")),
        _ => bail!("several KongPlugins are called {name:?}: give KIND NAMESPACE/NAME"),
    }
}

fn no_route(setup: &Setup<'_>, name: &str) -> anyhow::Error {
    let labels = || setup.routes.iter().map(|route| route.label());
    match kong_config::document::nearest(name, labels()) {
        Some(near) => anyhow!("there is no route {name:?} (did you mean {near:?}?)"),
        None if setup.routes.is_empty() => anyhow!("there are no routes here: leave --route out"),
        None => anyhow!("there is no route {name:?}; there are: {}", labels().collect::<Vec<_>>().join(", ")),
    }
}

/// What one policy says.
///
/// # Errors
/// It is not valid, or does not know the consumer.
pub fn decide(
    policy: &Placed<'_>,
    request: &Request,
    asker: &Asker,
    now: OffsetDateTime,
) -> anyhow::Result<Decided> {
    let place = place(policy.document, policy.entity.span.start);
    let whole = check::whole(policy).with_context(|| format!("the policy at {place}"))?;
    let compiled = compile(&whole).map_err(|problems| {
        anyhow!("the policy at {place} is not valid; `harness policy check` shows why\n{problems}")
    })?;
    let document = serde_json::from_slice(&whole)?;
    let rules = Rules::of(&document)?;
    let asked = match asker {
        Asker::Consumer { username, groups } => {
            as_consumer(&document, &rules, request, username, groups, compiled.asks_the_gateway())?
        }
        Asker::Key(_) if compiled.asks_the_gateway() => {
            bail!(
                "the policy at {place} leaves authentication to the gateway: say who is asking by --consumer"
            )
        }
        Asker::Key(key) => with_key(&document, request, Some(key), now)?,
        Asker::Nobody => with_key(&document, request, None, now)?,
    };
    let Asked { who, caller, outcome } = asked;
    let Some(who) = who else {
        return Ok(Decided { place, caller, outcome, by: "authentication".to_owned(), rules: Vec::new() });
    };
    let verdict = rules.verdict(&who, request);
    let (by, looked_at) = match verdict {
        Verdict::AmbiguousPath => ("path".to_owned(), 0),
        Verdict::Default => ("client_certificate".to_owned(), rules.len()),
        Verdict::Rule(rule) => (format!("rules[{rule}]"), rule + 1),
    };
    let looked = |rule: usize| Looked {
        rule,
        place: self::place(
            policy.document,
            super::locate::locate(policy.config, &format!("rules[{rule}]"), false).start,
        ),
        matches: verdict == Verdict::Rule(rule),
        conditions: (rules.conditions(rule, &who, request))
            .map(|(condition, holds)| Held {
                field: condition.field.clone(),
                holds,
                why: words::why(condition, holds, &who, request),
            })
            .collect(),
    };
    Ok(Decided { place, caller, outcome, by, rules: (0..looked_at).map(looked).collect() })
}

/// What the core said, and as whom the request passed to the rules: `None` where it did not come that far.
struct Asked {
    who: Option<Who>,
    caller: Option<String>,
    outcome: Outcome,
}

fn as_consumer(
    document: &Value,
    rules: &Rules,
    request: &Request,
    username: &str,
    groups: &[String],
    established: bool,
) -> anyhow::Result<Asked> {
    let consumers = document["consumers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = consumers.iter().find(|consumer| consumer["username"] == username);
    let elsewhere =
        established || document["consumers_file"].is_string() || document["anonymous"] == username;
    if known.is_none() && !elsewhere {
        let names = consumers.iter().filter_map(|consumer| consumer["username"].as_str());
        let near = kong_config::document::nearest(username, names);
        let near = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
        bail!("the policy has no consumer {username:?}{near}");
    }
    let own = known.and_then(|consumer| consumer["groups"].as_array()).into_iter().flatten();
    let own = own.filter_map(|group| group.as_str().map(str::to_owned));
    let who =
        Who { username: Some(username.to_owned()), groups: own.chain(groups.iter().cloned()).collect() };
    let outcome = rules.outcome(&who, request);
    Ok(Asked { caller: Some(format!("{username:?}")), who: Some(who), outcome })
}

fn with_key(
    document: &Value,
    request: &Request,
    key: Option<&ApiKey>,
    now: OffsetDateTime,
) -> anyhow::Result<Asked> {
    if document["consumers_file"].is_string() {
        bail!("the policy's consumers_file is not on this machine: ask by --consumer and --group");
    }
    // Where the key stands makes no difference to who has it; a header needs no escapes.
    let mut asked = document.clone();
    if key.is_some() {
        asked["key_in_header"] = true.into();
        asked["key_authorization"] = Value::Null;
        asked["key_cookies"] = Value::Null;
    }
    let name = document["key_names"][0].as_str().unwrap_or("apikey").to_owned();
    let header = key.map(|key| (name.as_bytes(), key.as_bytes()));
    let header: Vec<_> = header.into_iter().collect();
    let policy = compile(asked.to_string().as_bytes())?;
    let decision = request.put_to(&policy, None, &header, now.unix_timestamp());
    let outcome = Outcome::of(&decision);
    // Without rules there is nothing but authentication that could refuse.
    asked["rules"] = json!([]);
    let alone = compile(asked.to_string().as_bytes())?;
    let (who, caller) = match request.put_to(&alone, None, &header, now.unix_timestamp()) {
        Decision::Allow(allow) => (Some(who(&allow.caller)), Some(words::caller(&allow.caller))),
        Decision::Refuse(_) => (None, None),
    };
    Ok(Asked { who, caller, outcome })
}

fn who(caller: &Caller<'_>) -> Who {
    let groups = match caller {
        Caller::Anonymous(consumer) | Caller::Consumer(consumer, _) => {
            consumer.groups.iter().map(|group| group.to_string()).collect()
        }
        Caller::Established(_) | Caller::Nobody => Vec::new(),
    };
    Who { username: caller.username().map(str::to_owned), groups }
}

fn compile(policy: &[u8]) -> anyhow::Result<Policy> {
    Policy::compile_for(&Host::PLUGIN, policy).map_err(|problems| anyhow!("{problems}"))
}

fn place(document: &Document, byte: usize) -> String {
    format!("{}:{}", document.name, document.position(byte).0)
}
