//! What becomes other between two setups, and for whom: never which lines.
//!
//! Both are asked what becomes of one request of each kind that their rules can tell apart, for everybody whom they know.

mod boxes;
mod fate;
mod keys;
mod people;
mod words;

use anyhow::{Context, anyhow};
use mtls_policy::policy::{Host, Policy};
use serde::Serialize;
use serde_json::Value;

use super::partition::Partition;
use super::{Placed, Setup, check};
use fate::Judge;
use people::{Person, people};

pub use fate::Fate;
pub use keys::KeyChange;
pub use words::text;

/// All that becomes other.
#[derive(Debug, Default, Serialize)]
pub struct Diff {
    pub access: Vec<Access>,
    pub keys: Vec<KeyChange>,
    pub settings: Vec<Setting>,
}

/// What becomes of some requests of some people.
#[derive(Debug, Serialize)]
pub struct Access {
    /// Of a route, or `KongPlugin NAMESPACE/NAME`; `None`: policies in files of their own.
    pub route: Option<String>,
    pub who: Vec<String>,
    pub what: Gain,
    /// Of which requests, in words; all of them where it is empty.
    pub requests: Vec<String>,
    pub was: Fate,
    pub is: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// Passes, as somebody else or under another client certificate.
    Changes,
    /// Passes where it was refused.
    Gains,
    /// Is refused where it passed.
    Loses,
    /// Is refused in another way.
    Refused,
}

/// A setting that concerns everybody.
#[derive(Debug, Serialize)]
pub struct Setting {
    pub route: Option<String>,
    pub field: String,
    pub was: Value,
    pub is: Value,
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many changes there are.
    pub fn count(&self) -> usize {
        self.access.len() + self.keys.len() + self.settings.len()
    }
}

/// Compares two setups.
///
/// # Errors
/// A policy is not valid, or rules tell too many kinds of request apart.
pub fn diff(old: &Setup<'_>, new: &Setup<'_>) -> anyhow::Result<Diff> {
    let mut diff = Diff::default();
    for way in ways(old, new) {
        let (was, is) = (values(&way.old)?, values(&way.new)?);
        settings(&way, &was, &is, &mut diff.settings);
        access(&way, &was, &is, &mut diff.access)?;
    }
    diff.keys = keys::changes(old, new)?;
    Ok(diff)
}

/// A route, and the policies that decide on it; `None`: there is no such route.
struct Way<'s> {
    route: Option<String>,
    old: Option<Vec<&'s Placed<'s>>>,
    new: Option<Vec<&'s Placed<'s>>>,
}

/// Every route of either, by its name. Policies that stand alone are compared with each other.
fn ways<'s>(old: &'s Setup<'s>, new: &'s Setup<'s>) -> Vec<Way<'s>> {
    let routes = |setup: &'s Setup<'s>| -> Vec<_> {
        (0..setup.routes.len())
            .map(|route| (setup.routes[route].label().to_owned(), setup.deciding(route).collect::<Vec<_>>()))
            .collect()
    };
    let (before, after) = (routes(old), routes(new));
    let of = |routes: &[(String, Vec<&'s Placed<'s>>)], label: &str| {
        routes.iter().find(|(name, _)| name == label).map(|(_, policies)| policies.clone())
    };
    let mut labels: Vec<_> = before.iter().chain(&after).map(|(label, _)| label.clone()).collect();
    labels.sort();
    labels.dedup();
    let mut ways: Vec<_> = labels
        .into_iter()
        .map(|label| Way { old: of(&before, &label), new: of(&after, &label), route: Some(label) })
        .collect();
    if old.routes.is_empty() && new.routes.is_empty() {
        ways.extend(ways_without_routes(old, new));
    }
    ways
}

/// One policy on each side is compared with the other one. Else each KongPlugin is compared with that of its name, and
/// what has no name with the rest.
fn ways_without_routes<'s>(old: &'s Setup<'s>, new: &'s Setup<'s>) -> Vec<Way<'s>> {
    let called = |setup: &'s Setup<'s>, name: Option<&str>| -> Vec<_> {
        setup.policies.iter().filter(|policy| policy.resource() == name).collect()
    };
    let all = |setup: &'s Setup<'s>| Some(setup.policies.iter().collect());
    if old.policies.len() <= 1 && new.policies.len() <= 1 {
        return vec![Way { route: None, old: all(old), new: all(new) }];
    }
    let mut names: Vec<_> = old.policies.iter().chain(&new.policies).map(Placed::resource).collect();
    names.sort_unstable();
    names.dedup();
    let there = |policies: Vec<&'s Placed<'s>>| (!policies.is_empty()).then_some(policies);
    let way = |name: Option<&str>| Way {
        route: name.map(str::to_owned),
        old: there(called(old, name)),
        new: there(called(new, name)),
    };
    names.into_iter().map(way).collect()
}

fn values(policies: &Option<Vec<&Placed<'_>>>) -> anyhow::Result<Vec<Value>> {
    let each = policies.iter().flatten().map(|policy| {
        let within = || {
            format!("{} holds a policy that is not valid (see `harness policy check`)", policy.document.name)
        };
        let whole = check::whole(policy).with_context(within)?;
        Policy::compile_for(&Host::PLUGIN, &whole)
            .map_err(|problems| anyhow!("{problems}"))
            .with_context(within)?;
        Ok(serde_json::from_slice(&whole)?)
    });
    each.collect()
}

fn access(way: &Way<'_>, was: &[Value], is: &[Value], found: &mut Vec<Access>) -> anyhow::Result<()> {
    let all: Vec<_> = was.iter().chain(is).collect();
    let partition = Partition::of(&all);
    if partition.cells().is_none() {
        anyhow::bail!("the rules tell more kinds of request apart than can be compared one by one");
    }
    let (old, new) = (Judge::of(way.old.is_some(), was)?, Judge::of(way.new.is_some(), is)?);
    for Person { names, old: who_was, new: who_is } in people(was, is) {
        let mut changed: Vec<((Fate, Fate), Vec<boxes::Cell>)> = Vec::new();
        for (cell, request) in boxes::cells(&partition) {
            let fates = (old.fate(&who_was, &request), new.fate(&who_is, &request));
            if fates.0 == fates.1 {
                continue;
            }
            match changed.iter_mut().find(|(known, _)| *known == fates) {
                Some((_, cells)) => cells.push(cell),
                None => changed.push((fates, vec![cell])),
            }
        }
        for ((was, is), cells) in changed {
            let requests = boxes::words(&partition, cells);
            let same = |one: &&mut Access| {
                (&one.route, &one.requests, &one.was, &one.is) == (&way.route, &requests, &was, &is)
            };
            if let Some(known) = found.iter_mut().find(same) {
                known.who.extend(names.iter().cloned());
                continue;
            }
            let (route, what) = (way.route.clone(), Gain::of(&was, &is));
            found.push(Access { route, who: names.clone(), what, requests, was, is });
        }
    }
    Ok(())
}

impl Gain {
    fn of(was: &Fate, is: &Fate) -> Self {
        match (was.passes(), is.passes()) {
            (true, true) => Self::Changes,
            (false, true) => Self::Gains,
            (true, false) => Self::Loses,
            (false, false) => Self::Refused,
        }
    }
}

/// Settings by which everybody is asked. Only where each side has one policy can they be compared.
fn settings(way: &Way<'_>, was: &[Value], is: &[Value], found: &mut Vec<Setting>) {
    let ([was], [is]) = (was, is) else { return };
    for (field, default) in SETTINGS {
        let default: Value = serde_json::from_str(default).unwrap_or_default();
        let set = |policy: &Value| policy.get(field).filter(|value| !value.is_null()).cloned();
        let (was, is) = (set(was).unwrap_or(default.clone()), set(is).unwrap_or(default));
        if was != is {
            found.push(Setting { route: way.route.clone(), field: field.to_owned(), was, is });
        }
    }
}

/// With their defaults, as `Config` documents them.
const SETTINGS: [(&str, &str); 11] = [
    ("authentication", "\"api_key\""),
    ("key_names", "[\"apikey\"]"),
    ("key_in_header", "true"),
    ("key_in_query", "true"),
    ("key_in_body", "false"),
    ("key_authorization", "null"),
    ("key_cookies", "[]"),
    ("hide_credentials", "false"),
    ("run_on_preflight", "true"),
    ("realm", "null"),
    ("consumers_file", "null"),
];
