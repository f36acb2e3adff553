//! Names and ids of entities, and references to them.

use std::collections::BTreeMap;

use uuid::{Uuid, uuid};

use crate::document::{Fields, Place, Value, nearest};

/// The entities of one kind by name and by id, each with its index.
pub(super) struct Names {
    kind: &'static str,
    index: BTreeMap<String, (usize, usize)>,
}

impl Names {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, index: BTreeMap::new() }
    }

    /// Makes an entity known under a name or an id that stands at this place; under none if that is empty,
    /// which stands for one that was wrong.
    pub(super) fn add(&mut self, name: &str, index: usize, at: &Place<'_>) {
        match self.index.get(name) {
            _ if name.is_empty() => {}
            // A route may bear its own id as its name.
            Some((other, _)) if *other == index => {}
            Some((_, line)) => {
                at.problem(format_args!("another {} on line {line} is already called {name:?}", self.kind));
            }
            None => drop(self.index.insert(name.to_owned(), (index, at.line()))),
        }
    }

    /// What a reference means: `name`, `{name: …}` or `{id: …}`.
    pub(super) fn find(&self, reference: &Place<'_>) -> Option<usize> {
        let text = match reference.node().value {
            Value::Map(_) => self.named_in(reference.fields()?)?,
            _ => reference.clone(),
        };
        let name = text.string()?;
        match self.index.get(name) {
            Some((index, _)) => Some(*index),
            None => {
                let hint = match nearest(name, self.index.keys().map(String::as_str)) {
                    Some(near) => format!(" (did you mean {near:?}?)"),
                    None => String::new(),
                };
                text.problem(format_args!("there is no {} {name:?}{hint}", self.kind));
                None
            }
        }
    }

    fn named_in<'d>(&self, mut fields: Fields<'d>) -> Option<Place<'d>> {
        let place = fields.place().clone();
        let (id, name) = (fields.get("id"), fields.get("name"));
        fields.finish();
        match (id, name) {
            (Some(one), None) | (None, Some(one)) => Some(one),
            _ => {
                place.problem(format_args!("a {} is referred to by its id or by its name", self.kind));
                None
            }
        }
    }
}

/// An entity's id: the one given, in lower case, or the one that a DB-less Kong derives from the name
/// (kong/db/schema/others/declarative_config.lua, generate_uuid). Of an entity without a name Kong makes a new one
/// each time; here it is derived from the entity's place, so that a reload changes nothing.
pub(super) fn id_of(entity: &str, id: Option<&Place<'_>>, name: &str, place: &Place<'_>) -> String {
    let derived = if name.is_empty() { place.path() } else { name };
    match id {
        Some(id) => uuid_at(id).unwrap_or_default(),
        None => derived_id(entity, derived),
    }
}

/// The id that a DB-less Kong gives an entity that has a name and no id.
pub fn derived_id(entity: &str, name: &str) -> String {
    let namespace = Uuid::new_v5(&ENTITIES, entity.as_bytes());
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}

/// The UUID that must stand here, in lower case.
pub(super) fn uuid_at(place: &Place<'_>) -> Option<String> {
    let text = place.string()?;
    match Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => Some(id.to_string()),
        _ => {
            place.problem(format_args!("{text:?} is not a UUID"));
            None
        }
    }
}

/// The name that may stand in an entity (kong/db/schema/typedefs.lua, utf8_name).
pub(super) fn name_at(place: Option<Place<'_>>) -> String {
    let Some((place, name)) = place.and_then(|place| Some((place.clone(), place.string()?))) else {
        return String::new();
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c) || !c.is_ascii();
    if name.is_empty() || !name.chars().all(known) {
        place.problem(format_args!(
            "{name:?} is not a name: only letters, digits and . - _ ~ may stand in it"
        ));
    }
    name.to_owned()
}

/// Passes over what changes nothing, neither here nor on Kong.
pub(super) fn skip_inert(fields: &mut Fields<'_>) {
    for name in ["_comment", "_ignore", "created_at", "tags", "updated_at"] {
        fields.skip(name);
    }
}

/// kong/db/schema/others/declarative_config.lua, uuid_generators.
const ENTITIES: Uuid = uuid!("fd02801f-0957-4a15-a55a-c8d9606f30b5");
