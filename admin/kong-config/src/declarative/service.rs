//! Kong's service entity.

use std::sync::LazyLock;
use std::time::Duration;

use http::Uri;
use regex::Regex;

use super::names::{Names, id_of, name_at, skip_inert};
use super::{Protocol, Service};
use crate::document::{Fields, Place};

/// Reads a service, but for the routes, plugins and filter chains in it (kong/db/schema/entities/services.lua).
pub(super) fn service(
    fields: &mut Fields<'_>,
    index: usize,
    names: &mut Names,
    certificates: &Names,
    ca_certificates: &Names,
) -> Service {
    let place = fields.place().clone();
    let (id_at, called_at) = (fields.get("id"), fields.get("name"));
    let name = name_at(called_at.clone());
    let id = id_of("services", id_at.as_ref(), &name, &place);
    for (called, at) in [(&id, &id_at), (&name, &called_at)] {
        if let Some(at) = at {
            names.add(called, index, at);
        }
    }
    let Address { protocol, host, port, path } = address(fields);
    let mut milliseconds = |name| {
        let given = fields.get(name).and_then(|place| place.integer(1..=MAX_TIMEOUT));
        Duration::from_millis(given.and_then(|given| given.try_into().ok()).unwrap_or(60_000))
    };
    let connect_timeout = milliseconds("connect_timeout");
    let write_timeout = milliseconds("write_timeout");
    let read_timeout = milliseconds("read_timeout");
    let retries = fields.get("retries").and_then(|place| place.integer(0..=32_767));
    if fields.get("enabled").and_then(|place| place.boolean()) == Some(false) {
        place.problem("enabled: false is not supported: take the service out");
    }
    let mut tls = |name| {
        let place = fields.get(name)?;
        if protocol == Protocol::Http {
            place.problem("needs protocol: https");
        }
        Some(place)
    };
    let client_certificate = tls("client_certificate").and_then(|place| certificates.find(&place));
    let tls_verify = tls("tls_verify").and_then(|place| place.boolean());
    let tls_verify_depth = tls("tls_verify_depth").and_then(|place| place.integer(0..=64));
    let anchors = tls("ca_certificates").map(|place| place.items()).unwrap_or_default();
    skip_inert(fields);
    Service {
        name,
        id,
        protocol,
        host,
        port,
        path,
        connect_timeout,
        write_timeout,
        read_timeout,
        retries: retries.and_then(|given| given.try_into().ok()).unwrap_or(5),
        client_certificate,
        tls_verify,
        tls_verify_depth: tls_verify_depth.and_then(|given| given.try_into().ok()),
        ca_certificates: anchors.iter().filter_map(|place| ca_certificates.find(place)).collect(),
        filters: Vec::new(),
        upstream_mtls: None,
    }
}

struct Address {
    protocol: Protocol,
    host: String,
    port: u16,
    path: Option<String>,
}

/// `url`, or `protocol`, `host`, `port` and `path` of their own.
fn address(fields: &mut Fields<'_>) -> Address {
    let url = fields.get("url");
    let parts = ["protocol", "host", "port", "path"].map(|name| fields.get(name));
    if let Some(url) = url {
        for part in parts.iter().flatten() {
            part.problem("url has it already: give one of the two");
        }
        return from_url(&url).unwrap_or_else(Address::unknown);
    }
    let [protocol, host, port, path] = parts;
    let host = match host {
        Some(place) => host_at(&place),
        None => {
            fields.place().problem("host is missing (or url)");
            None
        }
    };
    Address {
        protocol: protocol.and_then(|place| protocol_at(&place)).unwrap_or(Protocol::Http),
        host: host.unwrap_or_default(),
        // Kong's default whatever the protocol.
        port: port.and_then(|place| place.integer(0..=65_535)?.try_into().ok()).unwrap_or(80),
        path: path.and_then(|place| path_at(&place, place.string()?)),
    }
}

impl Address {
    /// Stands in for one that could not be read, in a config that is refused for it. https, so that no complaint
    /// about its TLS fields follows.
    fn unknown() -> Self {
        Self { protocol: Protocol::Https, host: String::new(), port: 0, path: None }
    }
}

fn from_url(place: &Place<'_>) -> Option<Address> {
    let text = place.string()?;
    let bad = |why: &str| {
        // The URL may hold a password: it is not shown.
        place.problem(format_args!("not a service's URL: {why}"));
        None
    };
    let Ok(uri) = text.parse::<Uri>() else { return bad("it does not parse") };
    let protocol = match uri.scheme_str() {
        Some("http") => Protocol::Http,
        Some("https") => Protocol::Https,
        Some(_) => return bad("only http and https are supported"),
        None => return bad("it has no scheme, http or https"),
    };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return bad("credentials in it are not supported");
    }
    if uri.query().is_some() || text.contains('#') {
        return bad("neither query nor fragment may stand in it");
    }
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return bad("it has no host") };
    let default = if protocol == Protocol::Https { 443 } else { 80 };
    // The http crate gives "/" for no path; Kong tells them apart, and so does the upstream's path.
    let path = text.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
    Some(Address {
        protocol,
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(default),
        path: path.and_then(|path| path_at(place, &path)),
    })
}

fn protocol_at(place: &Place<'_>) -> Option<Protocol> {
    match place.string()? {
        "http" => Some(Protocol::Http),
        "https" => Some(Protocol::Https),
        "grpc" | "grpcs" | "tcp" | "tls" | "tls_passthrough" | "udp" | "ws" | "wss" => {
            place.problem("not supported here: only http and https");
            None
        }
        _ => place.one_of(&["http", "https"]).map(|_| Protocol::Http),
    }
}

fn host_at(place: &Place<'_>) -> Option<String> {
    let host = place.string()?;
    if !HOST.is_match(host) {
        place.problem(format_args!("{host:?} is not a host name or an address without a port"));
        return None;
    }
    Some(host.to_owned())
}

/// kong/db/schema/typedefs.lua, path.
fn path_at(place: &Place<'_>, path: &str) -> Option<String> {
    if !PATH.is_match(path) || path.contains("//") {
        place.problem(format_args!("{path:?} is not a path: /, no empty segments, other characters escaped"));
        return None;
    }
    Some(path.to_owned())
}

/// Milliseconds; Kong's bound.
const MAX_TIMEOUT: i64 = (1 << 31) - 2;

#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])$").expect("a pattern")
});

#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^/(?:[A-Za-z0-9._~/:@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$").expect("a pattern")
});
