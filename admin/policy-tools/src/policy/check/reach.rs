//! Rules that never decide, because earlier ones do.

use std::collections::BTreeSet;

use super::{value, warning};
use crate::policy::partition::Partition;
use crate::policy::{Finding, Placed, Rules, Verdict};

pub(super) fn look<'d>(policy: &Placed<'d>) -> Vec<Finding<'d>> {
    let document = value(policy);
    let Ok(rules) = Rules::of(&document) else { return Vec::new() };
    let partition = Partition::of(&[&document]);
    // More than can be asked one by one: nothing is said rather than something half known.
    // Nor where nobody can ask yet.
    let Some(cells) = partition.cells().filter(|_| !partition.who.is_empty()) else { return Vec::new() };
    let mut shadows = vec![BTreeSet::new(); rules.len()];
    let mut reached = vec![false; rules.len()];
    for cell in cells {
        let Verdict::Rule(first) = rules.verdict(cell.who, &cell.request) else { continue };
        reached[first] = true;
        for later in first + 1..rules.len() {
            if !reached[later] && rules.conditions(later, cell.who, &cell.request).all(|(_, holds)| holds) {
                shadows[later].insert(first);
            }
        }
    }
    let unreached = (0..rules.len()).filter(|rule| !reached[*rule]);
    unreached
        .map(|rule| {
            let by: Vec<_> = shadows[rule].iter().map(|first| format!("rules[{first}]")).collect();
            let message = match by.as_slice() {
                [] => "no request matches this rule: its conditions never hold together".to_owned(),
                [one] => format!("is never reached: {one} matches every request that this rule does"),
                [others @ .., last] => format!(
                    "is never reached: {} and {last} match every request that this rule does",
                    others.join(", ")
                ),
            };
            let help = match by.is_empty() {
                true => "take it out, or put one of its conditions right",
                false => "the first match decides: put the narrower rule first, or take it out",
            };
            warning(policy, "unreachable_rule", format!("rules[{rule}]"), message).help(help)
        })
        .collect()
}
