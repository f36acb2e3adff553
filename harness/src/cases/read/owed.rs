//! What is owed.

use super::text;
use crate::cases::{Case, Certificate, Owed, Text, Upstream, Values};
use kong_config::document::{Fields, Place, Value};

/// `401 Unauthorized`, `passes as kong-client`, or a mapping.
pub(super) fn read(place: &Place<'_>) -> Option<Owed> {
    match &place.node().value {
        Value::String(written) => short(written, place),
        Value::Integer(_) => Some(Owed { status: status(place), ..Owed::default() }),
        _ => mapping(place.fields()?),
    }
}

fn short(written: &str, place: &Place<'_>) -> Option<Owed> {
    if let Some(name) = written.strip_prefix("passes as ") {
        let upstream = Upstream { certificate: Some(called(name)), ..Upstream::default() };
        return Some(Owed { upstream: Some(upstream), ..Owed::default() });
    }
    let refusal = written.split_once(' ').and_then(|(status, message)| {
        let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
        Some(Owed { status: Some(status), message: Some(Text::of_answer(message)), ..Owed::default() })
    });
    if refusal.is_none() {
        place.problem("`401 Unauthorized`, `passes as kong-client`, or a mapping");
    }
    refusal
}

/// The fields of a mapping; the caller may have taken some of its own before.
pub(super) fn mapping(mut fields: Fields<'_>) -> Option<Owed> {
    let place = fields.place().clone();
    let owed = Owed {
        status: fields.get("status").and_then(|place| status(&place)),
        message: fields.get("message").and_then(|place| said(&place)),
        headers: headers(fields.get("headers")),
        body: fields.get("body").and_then(|place| said(&place)),
        holds: fields.get("holds").iter().flat_map(Place::items).filter_map(|part| said(&part)).collect(),
        upstream: fields.get("upstream").and_then(|place| upstream(&place)),
    };
    fields.finish();
    if owed.upstream.is_none() && owed.status.is_none() {
        place.problem("neither a status nor an upstream: a case that owes nothing shows nothing");
    }
    Some(owed)
}

fn said(place: &Place<'_>) -> Option<Text> {
    place.string().map(Text::of_answer)
}

fn upstream(place: &Place<'_>) -> Option<Upstream> {
    let mut fields = place.fields()?;
    let upstream = Upstream {
        certificate: fields.get("certificate").and_then(|place| place.string().map(called)),
        method: fields.get("method").and_then(|place| text(&place)),
        uri: fields.get("uri").and_then(|place| text(&place)),
        headers: headers(fields.get("headers")),
    };
    fields.finish();
    Some(upstream)
}

fn called(name: &str) -> Certificate {
    if name == "none" { Certificate::None } else { Certificate::Named(name.to_owned()) }
}

/// 0: the connection ends without an answer.
fn status(place: &Place<'_>) -> Option<u16> {
    match place.node().value {
        Value::Integer(0) => Some(0),
        _ => u16::try_from(place.integer(100..=599)?).ok(),
    }
}

/// By name: one value, several, or none at all.
fn headers(place: Option<Place<'_>>) -> Vec<(String, Values)> {
    let entries = place.iter().flat_map(Place::entries);
    entries.filter_map(|(key, value)| Some((key.name.clone(), values(&value)?))).collect()
}

fn values(place: &Place<'_>) -> Option<Values> {
    match place.node().value {
        Value::Null => Some(Values::Absent),
        Value::List(_) => Some(Values::These(place.items().iter().filter_map(text).collect())),
        _ => Some(Values::These(vec![text(place)?])),
    }
}

impl Case {
    /// What passes arrives with the target that the upstream would receive, unless the case says otherwise.
    pub(super) fn owe_the_target(&mut self) {
        let received = &self.request.received;
        let differing = self.differs.iter_mut().filter_map(|difference| match &mut difference.instead {
            crate::cases::Instead::Owed(owed) => Some(&mut **owed),
            _ => None,
        });
        for owed in differing.chain([&mut self.owed]) {
            if let Some(upstream) = &mut owed.upstream {
                upstream.uri.get_or_insert_with(|| received.clone());
            }
        }
    }
}
