//! Policies with mistakes.

use serde_json::Value;

use super::{difference, name};
use crate::cases::{Instead, Mistake};
use kong_config::document::Place;

pub(super) fn read(place: &Place<'_>, names: &mut Vec<String>) -> Option<Mistake> {
    let mut fields = place.fields()?;
    let name = name(fields.need("name"), names);
    let policy = fields.get("policy");
    let written = fields.get("document");
    let problems = fields.need("problems");
    let problems = problems.iter().flat_map(Place::items);
    let problems: Vec<_> = problems.filter_map(|place| place.string().map(str::to_owned)).collect();
    let at_gateways = fields.get("at_gateways").and_then(|place| place.boolean()).unwrap_or(false);
    let differs = difference::read(fields.get("differs"));
    fields.finish();
    if problems.is_empty() {
        place.problem("problems is empty: a mistake has at least one");
    }
    if differs.iter().any(|difference| matches!(difference.instead, Instead::Owed(_))) {
        place.problem("differs: a mistake owes problems, nothing else");
    }
    let policy: Option<Value> = policy.map(|place| place.node().to_json());
    let document = match (&policy, written) {
        (Some(policy), None) => policy.to_string(),
        (None, Some(written)) => written.string()?.to_owned(),
        _ => {
            place.problem("policy or document, one of the two");
            return None;
        }
    };
    Some(Mistake { name: name?, line: place.line(), document, policy, problems, at_gateways, differs })
}
