//! Everybody whom one of two setups knows; those who are alike to all rules, together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::policy::Who;
use crate::policy::partition::{OTHER, Partition};

/// People who are alike to all rules.
pub(super) struct Person {
    /// Usernames, or words for those who have none.
    pub(super) names: Vec<String>,
    /// In each of the policies; `None`: nobody there has a key of theirs.
    pub(super) old: Vec<Option<Who>>,
    pub(super) new: Vec<Option<Who>>,
}

/// Consumers, those without a valid key, preflights where they pass, and where the gateway says who is asking, somebody
/// of each kind.
pub(super) fn people(was: &[Value], is: &[Value]) -> Vec<Person> {
    let policies = || was.iter().chain(is);
    let asked = Asked::of(policies());
    let usernames: BTreeSet<&str> =
        policies().flat_map(consumers).filter_map(|one| one["username"].as_str()).collect();
    let held_before: Vec<_> = was.iter().map(Holders::of).collect();
    let held_after: Vec<_> = is.iter().map(Holders::of).collect();
    let mut alike: BTreeMap<Vec<Option<Kind>>, Person> = BTreeMap::new();
    let mut order = Vec::new();
    for name in usernames {
        let in_each =
            |policies: &[Holders<'_>]| policies.iter().map(|each| each.find(name)).collect::<Vec<_>>();
        let (old, new) = (in_each(&held_before), in_each(&held_after));
        let kinds: Vec<_> =
            old.iter().chain(&new).map(|who| who.as_ref().map(|who| asked.kind(who))).collect();
        let one = alike.entry(kinds.clone()).or_insert_with(|| {
            order.push(kinds);
            Person { names: Vec::new(), old, new }
        });
        one.names.push(name.to_owned());
    }
    let mut people: Vec<_> = order.iter().filter_map(|kinds| alike.remove(kinds)).collect();
    let of_gateway = |policy: &Value| policy["authentication"] == "gateway";
    if policies().any(of_gateway) {
        people.extend(established(was, is));
    }
    if policies().any(|policy| !of_gateway(policy)) {
        let nobody = |policies: &[Value]| policies.iter().map(|_| None).collect();
        people.push(Person {
            names: vec!["whoever has no valid key".to_owned()],
            old: nobody(was),
            new: nobody(is),
        });
    }
    if policies().any(|policy| policy["run_on_preflight"] == false) {
        let passes = |policies: &[Value]| {
            policies.iter().map(|one| (one["run_on_preflight"] == false).then(Who::default)).collect()
        };
        people.push(Person {
            names: vec!["preflights without a key".to_owned()],
            old: passes(was),
            new: passes(is),
        });
    }
    people
}

/// Somebody of each kind that rules can tell apart, where only the gateway knows who there is.
fn established(was: &[Value], is: &[Value]) -> Vec<Person> {
    let all: Vec<_> = was.iter().chain(is).filter(|policy| policy["authentication"] == "gateway").collect();
    let in_each = |policies: &[Value], who: &Who| {
        policies.iter().map(|one| (one["authentication"] == "gateway").then(|| who.clone())).collect()
    };
    let kinds = Partition::of(&all).who.into_iter().filter(|who| who.username.is_some());
    kinds
        .map(|who| {
            let name = who.username.as_deref().filter(|name| *name != OTHER);
            let words = match (name, who.groups.first()) {
                (Some(name), None) => name.to_owned(),
                (Some(name), Some(group)) => format!("{name}, in group {group}"),
                (None, Some(group)) => format!("anybody else in group {group}"),
                (None, None) => "anybody else".to_owned(),
            };
            Person { names: vec![words], old: in_each(was, &who), new: in_each(is, &who) }
        })
        .collect()
}

/// A policy's consumers by their names: there may be very many.
struct Holders<'v>(HashMap<&'v str, &'v Value>);

impl<'v> Holders<'v> {
    fn of(policy: &'v Value) -> Self {
        Self(consumers(policy).filter_map(|one| Some((one["username"].as_str()?, one))).collect())
    }

    /// Somebody with a key, whatever its window is.
    fn find(&self, username: &str) -> Option<Who> {
        let one = self.0.get(username)?;
        one["keys"].as_array().filter(|keys| !keys.is_empty())?;
        let groups = one["groups"].as_array().into_iter().flatten();
        let groups = groups.filter_map(|group| group.as_str().map(str::to_owned)).collect();
        Some(Who { username: Some(username.to_owned()), groups })
    }
}

/// What rules ask of somebody.
struct Asked {
    usernames: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// What of it holds.
type Kind = (Option<String>, Vec<String>);

impl Asked {
    fn of<'v>(policies: impl Iterator<Item = &'v Value> + Clone) -> Self {
        let named = |field: &'static str| {
            let rules = policies.clone().flat_map(|policy| policy["rules"].as_array()).flatten();
            let values = rules.flat_map(move |rule| rule["match"][field].as_array()).flatten();
            values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        Self { usernames: named("consumers"), groups: named("groups") }
    }

    fn kind(&self, who: &Who) -> Kind {
        let named = who.username.clone().filter(|name| self.usernames.contains(name));
        (named, self.groups.iter().filter(|group| who.groups.contains(group)).cloned().collect())
    }
}

fn consumers(policy: &Value) -> impl Iterator<Item = &Value> + use<'_> {
    policy["consumers"].as_array().into_iter().flatten()
}
