//! What is asked.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Kind, text};
use crate::cases::{Established, Request, Text};
use kong_config::document::{Fields, Place};

/// `request`, `received`, `headers`, `body`, `established` and `now` of a case.
pub(super) fn read(fields: &mut Fields<'_>, people: &[Established]) -> Option<Request> {
    let line = fields.get("request");
    let (method, target) = match &line {
        Some(place) => request_line(place)?,
        None => (Text::parse("GET").ok()?, Text::parse("/dogs").ok()?),
    };
    let received = fields.get("received").map(|place| text(&place));
    let headers = fields.get("headers");
    let headers: Vec<_> = headers.iter().flat_map(Place::items).filter_map(|item| header(&item)).collect();
    let body = fields.get("body").and_then(|place| text(&place));
    let established = fields.get("established").and_then(|place| {
        let name = place.string()?;
        let found = people.iter().find(|each| each.username == name);
        if found.is_none() {
            place.problem(format_args!("nobody is called {name:?} under `established` of this file"));
        }
        found.cloned()
    });
    let now = fields.get("now").and_then(|place| moment(&place));
    Some(Request {
        method,
        received: received.unwrap_or_else(|| Some(target.clone()))?,
        target,
        headers,
        body,
        established,
        now,
    })
}

/// Consumers whom the gateway itself knows, by name.
pub(super) fn people(fields: &mut Fields<'_>, kind: Kind) -> Vec<Established> {
    if kind == Kind::OwnConfig {
        fields.refuse("established", "the gateway's own config has the consumers");
    }
    let people = fields.get("established");
    people.iter().flat_map(Place::entries).filter_map(|(key, place)| person(&key.name, &place)).collect()
}

fn person(username: &str, place: &Place<'_>) -> Option<Established> {
    let mut fields = place.fields()?;
    let mut string =
        |name: &'static str| fields.need(name).and_then(|place| place.string().map(str::to_owned));
    let (id, credential) = (string("id"), string("credential"));
    let custom_id = fields.get("custom_id").and_then(|place| place.string().map(str::to_owned));
    let groups = fields.get("groups");
    let groups = groups.iter().flat_map(Place::items);
    let groups = groups.filter_map(|item| item.string().map(str::to_owned)).collect();
    fields.finish();
    Some(Established { username: username.to_owned(), id: id?, custom_id, credential: credential?, groups })
}

/// `METHOD target`.
fn request_line(place: &Place<'_>) -> Option<(Text, Text)> {
    let Some((method, target)) = place.string()?.split_once(' ') else {
        place.problem("a method and a target, such as GET /dogs");
        return None;
    };
    match (Text::parse(method), Text::parse(target)) {
        (Ok(method), Ok(target)) => Some((method, target)),
        (Err(why), _) | (_, Err(why)) => {
            place.problem(why);
            None
        }
    }
}

/// One header of a list: `Name: value`.
fn header(place: &Place<'_>) -> Option<(Text, Text)> {
    let entries = place.entries();
    let [(key, value)] = entries.as_slice() else {
        if entries.len() != 1 {
            place.problem("one header, such as - X-API-Key: <ann>");
        }
        return None;
    };
    let value = text(value)?;
    match Text::parse(&key.name) {
        Ok(name) => Some((name, value)),
        Err(why) => {
            place.problem(why);
            None
        }
    }
}

fn moment(place: &Place<'_>) -> Option<i64> {
    let written = place.string()?;
    let read = OffsetDateTime::parse(written, &Rfc3339);
    if read.is_err() {
        place.problem(format_args!("{written:?} is no RFC 3339 time, such as 2027-01-15T00:00:00Z"));
    }
    read.ok().map(OffsetDateTime::unix_timestamp)
}
