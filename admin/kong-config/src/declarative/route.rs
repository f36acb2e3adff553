//! Kong's route entity.

use regex::Regex;

use super::names::{Names, id_of, name_at, skip_inert};
use super::{HeaderMatch, HostMatch, PathMatch, Route};
use crate::document::{Fields, Place, Value};
use crate::uri::normalize;

/// Reads a route, but for the plugins and filter chains in it (kong/db/schema/entities/routes.lua). It belongs to
/// the service of this index.
pub(super) fn route(fields: &mut Fields<'_>, service: usize, index: usize, names: &mut Names) -> Route {
    let place = fields.place().clone();
    let (id_at, called_at) = (fields.get("id"), fields.get("name"));
    let name = name_at(called_at.clone());
    let id = id_of("routes", id_at.as_ref(), &name, &place);
    for (called, at) in [(&id, &id_at), (&name, &called_at)] {
        if let Some(at) = at {
            names.add(called, index, at);
        }
    }
    let criteria = ["methods", "hosts", "headers", "paths"].map(|name| fields.get(name));
    if criteria.iter().all(Option::is_none) {
        place.problem("one of methods, hosts, headers and paths is missing");
    }
    let [methods, hosts, headers, paths] = criteria;
    let mut switch = |name, default| fields.get(name).and_then(|place| place.boolean()).unwrap_or(default);
    let strip_path = switch("strip_path", true);
    let preserve_host = switch("preserve_host", false);
    // Bodies stream here whatever these say; what arrives is the same.
    switch("request_buffering", true);
    switch("response_buffering", true);
    let regex_priority = fields.get("regex_priority").and_then(|place| place.integer(i64::MIN..=i64::MAX));
    if let Some(protocols) = fields.get("protocols") {
        check_protocols(&protocols, &["http", "https"]);
    }
    if let Some(status) = fields.get("https_redirect_status_code") {
        status.integer(301..=426);
    }
    if let Some(handling) = fields.get("path_handling") {
        handling.one_of(&["v0"]);
    }
    fields.refuse("snis", "not supported: clients are not served by TLS here");
    for field in ["sources", "destinations"] {
        fields.refuse(field, "not a field of http routes");
    }
    for field in ["expression", "priority"] {
        fields.refuse(field, "only the router flavor traditional_compatible is supported");
    }
    skip_inert(fields);
    Route {
        name,
        id,
        service,
        methods: filled(methods).iter().filter_map(method_at).collect(),
        hosts: filled(hosts).iter().filter_map(host_at).collect(),
        headers: headers.map(|place| headers_at(&place)).unwrap_or_default(),
        paths: filled(paths).iter().filter_map(path_at).collect(),
        regex_priority: regex_priority.unwrap_or(0),
        strip_path,
        preserve_host,
        filters: Vec::new(),
        upstream_mtls: None,
        place: place.describe(),
    }
}

/// Checks a list of protocols, which must hold `http`: by it alone requests come in here.
pub(super) fn check_protocols(place: &Place<'_>, known: &[&'static str]) {
    let protocols: Vec<_> = filled(Some(place.clone())).iter().map(|item| item.one_of(known)).collect();
    if protocols.iter().all(Option::is_some) && !protocols.contains(&Some("http")) {
        place.problem("http must be among them: this gateway is reached by plain HTTP only");
    }
}

/// The items of a list that may be absent but not empty.
fn filled<'d>(list: Option<Place<'d>>) -> Vec<Place<'d>> {
    let Some(place) = list else { return Vec::new() };
    let items = place.items();
    if matches!(&place.node().value, Value::List(items) if items.is_empty()) {
        place.problem("an empty list: fill it, or take it out to allow all");
    }
    items
}

fn method_at(place: &Place<'_>) -> Option<String> {
    let method = place.string()?;
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        place.problem(format_args!("{method:?} is not a method: only capital letters may stand in it"));
        return None;
    }
    Some(method.to_owned())
}

fn host_at(place: &Place<'_>) -> Option<HostMatch> {
    let host = place.string()?;
    let read = HostMatch::parse(host);
    if read.is_none() {
        place.problem(format_args!(
            "{host:?} is not a host: a name with a port or without, with one * as its first or last label or none"
        ));
    }
    read
}

/// kong/db/schema/typedefs.lua, router_path; the regex is that of atc-router, Rust's own.
fn path_at(place: &Place<'_>) -> Option<PathMatch> {
    let path = place.string()?;
    if path.contains("//") {
        place.problem(format_args!("{path:?} has an empty segment"));
        return None;
    }
    if let Some(pattern) = path.strip_prefix('~') {
        if !pattern.starts_with('/') {
            place.problem(format_args!("{path:?} does not begin with ~/"));
            return None;
        }
        // kong/router/transform.lua, path_val_transform: not in a group, so ^ binds the first alternative only.
        return regex_at(place, &format!("^{}", pattern.replace("?<", "?P<"))).map(PathMatch::Regex);
    }
    if !path.starts_with('/') {
        place.problem(format_args!("{path:?} begins neither with / (a prefix) nor with ~/ (a regex)"));
        return None;
    }
    let normal = normalize(path.as_bytes());
    if normal != path.as_bytes() {
        place.problem(format_args!(
            "{path:?} can never match, for paths are normalised first: write {:?}",
            String::from_utf8_lossy(&normal)
        ));
        return None;
    }
    Some(PathMatch::Prefix(path.to_owned()))
}

fn headers_at(place: &Place<'_>) -> Vec<(String, Vec<HeaderMatch>)> {
    let mut headers = Vec::new();
    for (name, values) in place.entries() {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !name.name.bytes().all(token) || name.name.is_empty() {
            values.problem("not a header's name");
        }
        if name.name.eq_ignore_ascii_case("host") {
            values.problem("hosts belong into hosts");
        }
        let values = filled(Some(values)).iter().filter_map(header_at).collect();
        headers.push((name.name.to_ascii_lowercase(), values));
    }
    if headers.is_empty() {
        place.problem("no header is given: add one, or take it out to allow all");
    }
    headers
}

/// kong/router/transform.lua, get_expression: value and pattern are put in lower case alike.
fn header_at(place: &Place<'_>) -> Option<HeaderMatch> {
    let value = place.string()?.to_ascii_lowercase();
    match value.strip_prefix("~*") {
        Some(pattern) => regex_at(place, pattern).map(HeaderMatch::Regex),
        None => Some(HeaderMatch::Value(value)),
    }
}

fn regex_at(place: &Place<'_>, pattern: &str) -> Option<Regex> {
    match Regex::new(pattern) {
        Ok(regex) => Some(regex),
        Err(regex::Error::Syntax(text)) => {
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            place.problem(format_args!("not a regular expression that Kong's router takes: {why}"));
            None
        }
        Err(error) => {
            place.problem(format_args!("not a regular expression that Kong's router takes: {error}"));
            None
        }
    }
}
