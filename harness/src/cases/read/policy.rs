//! The policies of a file: one that holds where a case says nothing, and others by name.

use serde_json::Value;

use super::Kind;
use kong_config::document::{Fields, Place};

pub(super) struct Policies<'d> {
    kind: Kind,
    default: Option<Value>,
    named: Vec<(&'d str, Value)>,
}

impl<'d> Policies<'d> {
    pub(super) fn read(fields: &mut Fields<'d>, kind: Kind) -> Self {
        if kind == Kind::OwnConfig {
            fields.refuse("policy", ELSEWHERE);
            fields.refuse("policies", ELSEWHERE);
        }
        let default = fields.get("policy").map(|place| place.node().to_json());
        let named = fields.get("policies");
        let named = named.iter().flat_map(Place::entries);
        let named = named.map(|(key, place)| (key.name.as_str(), place.node().to_json())).collect();
        Self { kind, default, named }
    }

    /// The one of a case: by name, or with some fields instead of another one's.
    pub(super) fn of(&self, written: Option<Place<'_>>, case: &Place<'_>) -> Option<Value> {
        let Some(place) = written else {
            if self.kind == Kind::Conformance && self.default.is_none() {
                case.problem("policy is missing, and the file has none for all cases");
            }
            return self.default.clone();
        };
        if self.kind == Kind::OwnConfig {
            place.problem(ELSEWHERE);
            return None;
        }
        let mut changed = match place.node().to_json() {
            Value::String(_) => return self.named(&place),
            Value::Object(changed) => changed,
            _ => {
                place.problem("the name of a policy, or a mapping of what is other than in the file's own");
                return None;
            }
        };
        let like = match changed.remove("like") {
            Some(_) => place
                .entries()
                .iter()
                .find(|(key, _)| key.name == "like")
                .and_then(|(_, like)| self.named(like)),
            None => self.default.clone().or(Some(Value::Object(serde_json::Map::new()))),
        };
        let mut policy = like?;
        policy.as_object_mut()?.extend(changed);
        Some(policy)
    }

    fn named(&self, place: &Place<'_>) -> Option<Value> {
        let name = place.string()?;
        let found = self.named.iter().find(|(each, _)| *each == name);
        if found.is_none() {
            let near = kong_config::document::nearest(name, self.named.iter().map(|(each, _)| *each));
            let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
            place.problem(format_args!("no policy is called {name:?}{hint}"));
        }
        found.map(|(_, policy)| policy.clone())
    }
}

const ELSEWHERE: &str = "the gateway's own config has the policies";
