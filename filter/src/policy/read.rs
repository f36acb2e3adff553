//! JSON into [`Config`]: every value of a wrong shape is a problem of its own, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::{Authentication, Config, Consumer, Deny, Key, Match, Rule};
use super::problem::{Problem, did_you_mean};

/// The config as far as it could be read; what could not is absent from it and among the problems.
pub(super) fn config(document: &[u8], problems: &mut Vec<Problem>) -> Config {
    // Kong hands a filter without config nothing at all, or an empty string.
    let document = if document.trim_ascii().is_empty() { b"{}" } else { document };
    document_as(document, problems, |place| place.config())
}

/// What a consumers file holds, likewise.
pub(super) fn consumers(document: &[u8], problems: &mut Vec<Problem>) -> Vec<Consumer> {
    document_as(document, problems, |place| {
        let mut fields = place.fields();
        let consumers = fields
            .required("consumers", |place| Some(place.elements()?.map(Place::consumer).collect::<Vec<_>>()));
        fields.refuse_others();
        consumers
    })
}

fn document_as<T: Default>(
    document: &[u8],
    problems: &mut Vec<Problem>,
    read: impl FnOnce(Place<'_>) -> T,
) -> T {
    let found = RefCell::new(std::mem::take(problems));
    let value = match serde_json::from_slice::<Value>(document) {
        Ok(value) => read(Place { value: &value, path: String::new(), found: &found }),
        Err(error) => {
            let message = format!("not JSON: {error}");
            found.borrow_mut().push(Problem { path: String::new(), message });
            T::default()
        }
    };
    *problems = found.into_inner();
    value
}

/// A value, and where it stands.
struct Place<'d> {
    value: &'d Value,
    path: String,
    found: &'d RefCell<Vec<Problem>>,
}

impl<'d> Place<'d> {
    fn config(self) -> Config {
        let mut fields = self.fields();
        let config = Config {
            authentication: fields.take("authentication", Place::authentication),
            key_names: fields.take("key_names", Place::strings),
            key_in_header: fields.take("key_in_header", Place::boolean),
            key_in_query: fields.take("key_in_query", Place::boolean),
            key_in_body: fields.take("key_in_body", Place::boolean),
            hide_credentials: fields.take("hide_credentials", Place::boolean),
            run_on_preflight: fields.take("run_on_preflight", Place::boolean),
            realm: fields.take("realm", Place::text),
            anonymous: fields.take("anonymous", Place::text),
            consumers: fields.list("consumers", Place::consumer),
            consumers_file: fields.take("consumers_file", Place::text),
            client_certificate: fields.take("client_certificate", Place::text),
            rules: fields.list("rules", Place::rule),
        };
        fields.refuse_others();
        config
    }

    fn consumer(self) -> Consumer {
        let mut fields = self.fields();
        let consumer = Consumer {
            username: fields.required("username", Place::text),
            id: fields.take("id", Place::text),
            custom_id: fields.take("custom_id", Place::text),
            groups: fields.list("groups", |place| place.string().unwrap_or_default()),
            keys: fields.list("keys", Place::key),
        };
        fields.refuse_others();
        consumer
    }

    fn key(self) -> Key {
        let mut fields = self.fields();
        let key = Key {
            id: fields.required("id", Place::text),
            sha256: fields.required("sha256", Place::text),
            not_before: fields.take("not_before", Place::text),
            not_after: fields.take("not_after", Place::text),
        };
        fields.refuse_others();
        key
    }

    fn rule(self) -> Rule {
        let mut fields = self.fields();
        let rule = Rule {
            r#match: fields.required("match", |place| Some(place.conditions())),
            client_certificate: fields.take("client_certificate", Place::text),
            deny: fields.take("deny", |place| Some(place.deny())),
        };
        fields.refuse_others();
        rule
    }

    fn conditions(self) -> Match {
        let mut fields = self.fields();
        let conditions = Match {
            consumers: fields.take("consumers", Place::strings),
            groups: fields.take("groups", Place::strings),
            methods: fields.take("methods", Place::strings),
            path_prefix: fields.take("path_prefix", Place::string),
            hosts: fields.take("hosts", Place::strings),
            headers: fields.take("headers", Place::headers),
        };
        fields.refuse_others();
        conditions
    }

    fn headers(self) -> Option<BTreeMap<String, Vec<String>>> {
        let fields = self.fields();
        let each = fields.map?.iter().map(|(name, value)| {
            let place = Place { value, path: format!("{}.{name}", fields.path), found: fields.found };
            (name.clone(), place.strings().unwrap_or_default())
        });
        Some(each.collect())
    }

    fn deny(self) -> Deny {
        let mut fields = self.fields();
        let deny = Deny {
            status: fields.take("status", Place::status),
            message: fields.take("message", Place::string),
        };
        fields.refuse_others();
        deny
    }

    fn authentication(self) -> Option<Authentication> {
        match self.value.as_str() {
            Some("api_key") => Some(Authentication::ApiKey),
            Some("gateway") => Some(Authentication::Gateway),
            _ => self.refuse("\"api_key\" or \"gateway\""),
        }
    }

    fn status(self) -> Option<u16> {
        let status = self.value.as_u64().and_then(|status| u16::try_from(status).ok());
        status.or_else(|| self.refuse("a status from 400 to 599"))
    }

    /// A string that says something: one that is there but empty is a mistake, not a default.
    fn text(self) -> Option<String> {
        match self.value.as_str() {
            Some("") => self.refuse("a string"),
            _ => self.string(),
        }
    }

    fn string(self) -> Option<String> {
        self.value.as_str().map(str::to_owned).or_else(|| self.refuse("a string"))
    }

    fn boolean(self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.refuse("true or false"))
    }

    fn strings(self) -> Option<Vec<String>> {
        Some(self.elements()?.map(|element| element.string().unwrap_or_default()).collect())
    }

    fn elements(self) -> Option<impl Iterator<Item = Place<'d>>> {
        let elements: &[Value] = match self.value {
            Value::Array(elements) => elements,
            // Kong 3.9 hands over an empty list as `{}`: to Lua the two are one.
            Value::Object(fields) if fields.is_empty() => &[],
            _ => return self.refuse("a list"),
        };
        let Self { path, found, .. } = self;
        let each = elements.iter().enumerate();
        Some(each.map(move |(index, value)| Place { value, path: format!("{path}[{index}]"), found }))
    }

    fn fields(self) -> Fields<'d> {
        let map = self.value.as_object();
        if map.is_none() {
            self.refuse::<()>("an object");
        }
        let Self { path, found, .. } = self;
        Fields { map, path, found, known: Vec::new() }
    }

    /// Only of what kind the value is: the value itself may be a secret in the wrong place.
    fn refuse<T>(&self, expected: &str) -> Option<T> {
        let is = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(text) if text.is_empty() => "empty",
            Value::String(_) => "another string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let message = format!("has to be {expected}, is {is}");
        self.found.borrow_mut().push(Problem { path: self.path.clone(), message });
        None
    }
}

/// An object whose fields are taken one by one; what nobody took is a problem.
struct Fields<'d> {
    map: Option<&'d Map<String, Value>>,
    path: String,
    found: &'d RefCell<Vec<Problem>>,
    known: Vec<&'static str>,
}

impl<'d> Fields<'d> {
    /// A field that may be absent. `null` is absent too: Kong fills in nulls.
    fn take<T>(&mut self, name: &'static str, read: impl FnOnce(Place<'d>) -> Option<T>) -> Option<T> {
        self.known.push(name);
        let value = self.map?.get(name).filter(|value| !value.is_null())?;
        read(Place { value, path: self.path_of(name), found: self.found })
    }

    fn required<T: Default>(&mut self, name: &'static str, read: impl FnOnce(Place<'d>) -> Option<T>) -> T {
        let there = self.map.is_none_or(|map| map.get(name).is_some_and(|value| !value.is_null()));
        if !there {
            let message = "is missing".to_owned();
            self.found.borrow_mut().push(Problem { path: self.path_of(name), message });
        }
        self.take(name, read).unwrap_or_default()
    }

    fn list<T>(&mut self, name: &'static str, read: impl Fn(Place<'d>) -> T) -> Vec<T> {
        let elements = self.take(name, Place::elements);
        elements.map(|elements| elements.map(read).collect()).unwrap_or_default()
    }

    fn refuse_others(self) {
        let others = self.map.into_iter().flatten().map(|(name, _)| name.as_str());
        for name in others.filter(|name| !self.known.contains(name)) {
            let near = did_you_mean(name, self.known.iter().copied());
            let message = format!("there is no such field{near}");
            self.found.borrow_mut().push(Problem { path: self.path_of(name), message });
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
