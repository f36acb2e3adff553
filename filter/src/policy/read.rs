//! JSON into [`Config`]: every value of a wrong shape is a problem of its own, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::config::{Authentication, Config, Consumer, Deny, Key, Match, Rule};
use super::problem::{Problem, did_you_mean};

/// The config as far as it could be read, without its consumers, and these as they are written: there may be very
/// many, so they are read one by one (see [`consumer`]). What could not be read is absent and among the problems.
pub(super) fn config<'d>(
    document: &'d [u8],
    problems: &mut Vec<Problem>,
) -> (Config, Option<Vec<&'d RawValue>>) {
    // Kong hands a filter without config nothing at all, or an empty string.
    let document = if document.trim_ascii().is_empty() { b"{}" } else { document };
    let Some(sections) = Sections::of(document, problems) else { return (Config::default(), None) };
    let config = at(String::new(), &sections.others, problems, |place| place.config());
    (config, sections.consumers(problems))
}

/// What a consumers file holds, likewise.
pub(super) fn consumers<'d>(document: &'d [u8], problems: &mut Vec<Problem>) -> Vec<&'d RawValue> {
    let Some(sections) = Sections::of(document, problems) else { return Vec::new() };
    if sections.consumers.is_none() && sections.others.is_object() {
        problems.push(Problem { path: "consumers".to_owned(), message: "is missing".to_owned() });
    }
    at(String::new(), &sections.others, problems, |place| {
        let mut fields = place.fields();
        fields.known.push("consumers");
        fields.refuse_others();
    });
    sections.consumers(problems).unwrap_or_default()
}

/// One of the consumers, `number` of the list.
pub(super) fn consumer(written: &RawValue, number: usize, problems: &mut Vec<Problem>) -> Consumer {
    // There may be very many, and nearly all of them are as they should be: the words for what is not come after.
    if let Ok(consumer) = serde_json::from_str::<Consumer>(written.get())
        && says_something(&consumer)
    {
        return consumer;
    }
    let value = serde_json::from_str::<Value>(written.get()).unwrap_or_default();
    at(format!("consumers[{number}]"), &value, problems, |place| place.consumer())
}

/// Whether no text of a consumer is there but empty (see [`Place::text`]).
fn says_something(consumer: &Consumer) -> bool {
    let Consumer { username, id, custom_id, groups: _, keys } = consumer;
    let given = |text: &Option<String>| text.as_deref() != Some("");
    let is_key = |Key { id, sha256, not_before, not_after }: &Key| {
        !id.is_empty() && !sha256.is_empty() && given(not_before) && given(not_after)
    };
    !username.is_empty() && given(id) && given(custom_id) && keys.iter().all(is_key)
}

fn at<T>(path: String, value: &Value, problems: &mut Vec<Problem>, read: impl FnOnce(Place<'_>) -> T) -> T {
    let found = RefCell::new(std::mem::take(problems));
    let outcome = read(Place { value, path, found: &found });
    *problems = found.into_inner();
    outcome
}

/// A document, its consumers still unread.
struct Sections<'d> {
    consumers: Option<&'d RawValue>,
    others: Value,
}

impl<'d> Sections<'d> {
    /// `None` and a problem where it is no JSON.
    fn of(document: &'d [u8], problems: &mut Vec<Problem>) -> Option<Self> {
        let mut refuse = |error: &dyn fmt::Display| {
            problems.push(Problem { path: String::new(), message: format!("not JSON: {error}") });
        };
        // All JSON is read from text: from bytes it would be read by another copy of the same code.
        let document = match str::from_utf8(document) {
            Ok(document) => document,
            Err(error) => {
                refuse(&error);
                return None;
            }
        };
        let error = match serde_json::from_str::<Self>(document) {
            // Kong fills in nulls.
            Ok(Self { consumers, others }) => {
                return Some(Self { consumers: consumers.filter(|section| section.get() != "null"), others });
            }
            Err(error) => error,
        };
        // Something else than an object, if it is JSON at all.
        let others = serde_json::from_str(document).ok();
        if others.is_none() {
            refuse(&error);
        }
        Some(Self { consumers: None, others: others? })
    }

    fn consumers(&self, problems: &mut Vec<Problem>) -> Option<Vec<&'d RawValue>> {
        let section = self.consumers?;
        if section.get().strip_prefix('{').is_some_and(|rest| rest.trim_start() == "}") {
            return Some(Vec::new());
        }
        let listed = serde_json::from_str(section.get()).ok();
        if listed.is_none() {
            let value = serde_json::from_str::<Value>(section.get()).unwrap_or_default();
            at("consumers".to_owned(), &value, problems, |place| place.refuse::<()>("a list"));
        }
        listed
    }
}

impl<'de> Deserialize<'de> for Sections<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Sections<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut consumers, mut others) = (None, Map::new());
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "consumers" => consumers = Some(map.next_value()?),
                        _ => drop(others.insert(name, map.next_value()?)),
                    }
                }
                Ok(Sections { consumers, others: Value::Object(others) })
            }
        }

        deserializer.deserialize_map(Fields)
    }
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
            key_authorization: fields.take("key_authorization", Place::text),
            key_cookies: fields.take("key_cookies", Place::strings),
            hide_credentials: fields.take("hide_credentials", Place::boolean),
            run_on_preflight: fields.take("run_on_preflight", Place::boolean),
            realm: fields.take("realm", Place::text),
            anonymous: fields.take("anonymous", Place::text),
            // Read one by one, see above.
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
            paths: fields.take("paths", Place::strings),
            path_prefix: fields.take("path_prefix", Place::string),
            hosts: fields.take("hosts", Place::strings),
            headers: fields.take("headers", Place::headers),
        };
        fields.refuse_others();
        conditions
    }

    fn headers(self) -> Option<BTreeMap<String, Vec<String>>> {
        let fields = self.fields();
        // One by one: to collect them would bring a sort into the module.
        let mut headers = BTreeMap::new();
        for (name, value) in fields.map? {
            let place = Place { value, path: format!("{}.{name}", fields.path), found: fields.found };
            headers.insert(name.clone(), place.strings().unwrap_or_default());
        }
        Some(headers)
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
            // As in `config::list`.
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
