//! The requests that rules can tell apart: one of each kind.
//!
//! Rules compare methods, paths, hosts and headers with given values, and paths with given prefixes too. So one request for each
//! value that some rule names, and one for all other values, stand for every request there is; who is asking, likewise.
//! A header that is there with several values at once is the one thing left out.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Request, Who};

/// What rules of one or more policies can tell apart.
pub struct Partition {
    pub who: Vec<Who>,
    pub methods: Vec<String>,
    /// With no query.
    pub paths: Vec<String>,
    pub hosts: Vec<String>,
    /// Each is one request's headers.
    pub headers: Vec<Vec<(String, String)>>,
}

/// One kind of request.
pub struct Cell<'p> {
    pub who: &'p Who,
    pub request: Request,
}

impl Partition {
    /// Of policies, given as JSON.
    pub fn of(policies: &[&Value]) -> Self {
        let conditions = || {
            let rules = policies.iter().flat_map(|policy| items(&policy["rules"]));
            rules.map(|rule| &rule["match"])
        };
        let named = |field: &'static str| -> BTreeSet<String> {
            conditions().flat_map(|one| items(&one[field])).filter_map(string).collect()
        };
        Self {
            who: who(policies, &named("consumers"), &named("groups")),
            methods: with_another(named("methods"), |methods| {
                METHODS.iter().find(|method| !methods.contains(**method)).map(|method| (*method).to_owned())
            }),
            paths: paths(&named("paths"), conditions().filter_map(|one| string(&one["path_prefix"]))),
            hosts: with_another(named("hosts"), |_| Some(OTHER.to_owned())),
            headers: headers(conditions()),
        }
    }

    /// One request of each kind; `None` where there are too many to ask.
    pub fn cells(&self) -> Option<impl Iterator<Item = Cell<'_>>> {
        let many =
            [self.who.len(), self.methods.len(), self.paths.len(), self.hosts.len(), self.headers.len()]
                .iter()
                .try_fold(1_usize, |many, more| many.checked_mul(*more))?;
        if many > MOST {
            return None;
        }
        Some(self.who.iter().flat_map(|who| self.requests().map(move |request| Cell { who, request })))
    }

    /// One request of each kind, but for who is asking.
    pub fn requests(&self) -> impl Iterator<Item = Request> {
        self.methods.iter().flat_map(move |method| {
            self.paths.iter().flat_map(move |path| {
                self.hosts.iter().flat_map(move |host| {
                    self.headers.iter().map(move |headers| Request {
                        method: method.clone(),
                        host: host.clone(),
                        target: path.clone(),
                        headers: headers.clone(),
                    })
                })
            })
        })
    }
}

/// Consumers by what rules ask of them, one of each kind. A consumer that is named is a kind of its own. Where the
/// policies do not know all consumers, somebody of each name and of each group is added.
fn who(policies: &[&Value], consumers: &BTreeSet<String>, groups: &BTreeSet<String>) -> Vec<Who> {
    let mut kinds = BTreeSet::new();
    let mut found = Vec::new();
    let mut add = |who: Who| {
        let of_rules: Vec<_> = groups.iter().filter(|group| who.groups.contains(group)).cloned().collect();
        let name = who.username.as_ref().filter(|name| consumers.contains(*name)).cloned();
        if kinds.insert((name, of_rules)) {
            found.push(who);
        }
    };
    for policy in policies {
        for consumer in items(&policy["consumers"]) {
            let groups = items(&consumer["groups"]).iter().filter_map(string).collect();
            add(Who { username: string(&consumer["username"]), groups });
        }
        if let Some(name) = string(&policy["anonymous"]) {
            let known = items(&policy["consumers"]).iter().any(|one| one["username"] == policy["anonymous"]);
            if !known {
                add(Who { username: Some(name), groups: Vec::new() });
            }
        }
        if policy["run_on_preflight"] == false {
            add(Who::default());
        }
        let open = policy["authentication"] == "gateway" || policy["consumers_file"].is_string();
        if open {
            let somebody = || OTHER.to_owned();
            add(Who { username: Some(somebody()), groups: Vec::new() });
            for name in consumers {
                add(Who { username: Some(name.clone()), groups: Vec::new() });
            }
            for group in groups {
                add(Who { username: Some(somebody()), groups: vec![group.clone()] });
                for name in consumers {
                    add(Who { username: Some(name.clone()), groups: vec![group.clone()] });
                }
            }
        }
    }
    found
}

/// Each path with one below it, each prefix, and what lies beside all of them. Below a prefix is as at it, where no path and
/// no longer prefix is.
fn paths(exactly: &BTreeSet<String>, prefixes: impl Iterator<Item = String>) -> Vec<String> {
    let plain = |path: &str| path.trim_end_matches('/').to_owned();
    let mut paths: BTreeSet<String> = prefixes.map(|prefix| plain(&prefix)).collect();
    paths.remove("");
    for path in exactly.iter().map(|path| plain(path)) {
        paths.insert(format!("{path}/{OTHER}"));
        paths.insert(if path.is_empty() { "/".to_owned() } else { path });
    }
    let beside = format!("/{OTHER}");
    paths.remove(&beside);
    paths.into_iter().chain([beside]).collect()
}

/// Every choice of a value, or another one, for each name that rules ask for.
fn headers<'v>(conditions: impl Iterator<Item = &'v Value>) -> Vec<Vec<(String, String)>> {
    let mut names: Vec<(String, BTreeSet<String>)> = Vec::new();
    for (name, values) in conditions.filter_map(|one| one["headers"].as_object()).flatten() {
        let at = names.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        let at = at.unwrap_or_else(|| {
            names.push((name.clone(), BTreeSet::new()));
            names.len() - 1
        });
        names[at].1.extend(items(values).iter().filter_map(string));
    }
    let mut choices = vec![Vec::new()];
    for (name, values) in names {
        if choices.len() * (values.len() + 1) > MOST {
            break;
        }
        let with = |value: &String, choice: &Vec<(String, String)>| {
            choice.iter().cloned().chain([(name.clone(), value.clone())]).collect()
        };
        let more: Vec<_> = values
            .iter()
            .flat_map(|value| choices.iter().map(|choice| with(value, choice)).collect::<Vec<_>>())
            .collect();
        choices.extend(more);
    }
    choices
}

fn with_another(
    named: BTreeSet<String>,
    another: impl FnOnce(&BTreeSet<String>) -> Option<String>,
) -> Vec<String> {
    let another = another(&named);
    named.into_iter().chain(another).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What no rule names.
pub(super) const OTHER: &str = "~";

/// Of these, each is asked of several policies: some seconds, at most.
const MOST: usize = 200_000;

/// Of these one that no rule names stands for all others; in the order in which one thinks of them.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"];
