//! Config of the plugin upstream-mtls.

use std::path::PathBuf;
use std::time::Duration;

use super::certificate::{Environment, pair};
use super::names::Names;
use super::{CertificateSource, ClientCertificate, Trust, UpstreamMtls, UpstreamName};
use crate::document::{Fields, Place, Value, nearest};
use pki::Name;

/// What the config may refer to.
pub(super) struct Entities<'e> {
    pub(super) certificates: &'e Names,
    pub(super) ca_certificates: &'e Names,
    pub(super) env: Environment<'e>,
}

/// Reads the config. Where a value is wrong, which is then on the report, its default stands in.
pub(super) fn upstream_mtls(mut fields: Fields<'_>, entities: &Entities<'_>) -> UpstreamMtls {
    let list = fields.get("client_certificates").map(|place| place.items()).unwrap_or_default();
    let client_certificates = client_certificates(&list, entities);
    let client_certificate = fields.get("client_certificate").and_then(|place| {
        let name = place.string()?;
        // Those that are wrong in another way count as well: one problem is not told twice.
        let names: Vec<&str> = list.iter().filter_map(peek_name).collect();
        if !names.contains(&name) {
            let hint = match nearest(name, names.into_iter()) {
                Some(near) => format!(" (did you mean {near:?}?)"),
                None => String::new(),
            };
            place.problem(format_args!("no client certificate of this plugin is called {name:?}{hint}"));
        }
        Some(name.to_owned())
    });
    let trust = trust(&mut fields, entities);
    let revocations = fields.get("crl_file").and_then(|place| {
        needs_trust(&place, trust.as_ref());
        path_at(&place)
    });
    let upstream_names = fields.get("upstream_names").map(|place| {
        needs_trust(&place, trust.as_ref());
        names_at(&place)
    });
    let requires_request = fields.get("require_certificate_request").and_then(|place| place.boolean());
    let expiry_warning = fields.get("expiry_warning").and_then(|place| place.integer(0..=3650));
    let depth = fields.get("tls_verify_depth").and_then(|place| place.integer(0..=64));
    let interval = fields.get("reload_interval").and_then(|place| interval_at(&place));
    fields.finish();
    UpstreamMtls {
        client_certificates,
        client_certificate,
        trust,
        tls_verify_depth: depth.and_then(|depth| depth.try_into().ok()).unwrap_or(1),
        revocations,
        upstream_names: upstream_names.unwrap_or_default(),
        requires_request: requires_request.unwrap_or(false),
        expiry_warning: DAY * expiry_warning.and_then(|days| days.try_into().ok()).unwrap_or(30),
        reload_interval: interval.unwrap_or(Duration::from_secs(10)),
    }
}

fn client_certificates(list: &[Place<'_>], entities: &Entities<'_>) -> Vec<ClientCertificate> {
    let mut read: Vec<ClientCertificate> = Vec::new();
    for place in list {
        let Some(mut fields) = place.fields() else { continue };
        let name = fields.need("name").and_then(|place| {
            let name = certificate_name_at(&place)?;
            if read.iter().any(|other| other.name == name) {
                place.problem(format_args!("another client certificate is already called {name:?}"));
            }
            Some(name)
        });
        let source = source(&mut fields, entities);
        fields.finish();
        if let (Some(name), Some(source)) = (name, source) {
            read.push(ClientCertificate { name, source });
        }
    }
    read
}

/// Exactly one of: `cert_file` with `key_file`, `certificate`, `cert` with `key`.
fn source(fields: &mut Fields<'_>, entities: &Entities<'_>) -> Option<CertificateSource> {
    let files = [fields.get("cert_file"), fields.get("key_file")];
    let entity = fields.get("certificate");
    let inline = [fields.get("cert"), fields.get("key")];
    let given = [files.iter().any(Option::is_some), entity.is_some(), inline.iter().any(Option::is_some)];
    if given.iter().filter(|given| **given).count() != 1 {
        let what = if given.contains(&true) { "more than one source" } else { "no source" };
        fields.place().problem(format_args!(
            "{what}: give either cert_file and key_file, or certificate, or cert and key"
        ));
        return None;
    }
    if let Some(entity) = entity {
        return entities.certificates.find(&entity).map(CertificateSource::Entity);
    }
    if given[0] {
        let (chain, key) = (file(fields, "cert_file"), file(fields, "key_file"));
        return Some(CertificateSource::Files { chain: chain?, key: key? });
    }
    pair(fields, entities.env).map(CertificateSource::Inline)
}

fn trust(fields: &mut Fields<'_>, entities: &Entities<'_>) -> Option<Trust> {
    let verify = fields.get("tls_verify").and_then(|place| place.boolean()).unwrap_or(true);
    let (ca_file, ca_certificates) = (fields.get("ca_file"), fields.get("ca_certificates"));
    let trust = match (ca_file, ca_certificates) {
        (Some(place), Some(_)) => {
            place.problem("ca_certificates is given too: give one of the two");
            return None;
        }
        (Some(_), None) => Trust::File(file(fields, "ca_file")?),
        (None, Some(place)) => {
            let anchors = place.items();
            if anchors.is_empty() {
                place.problem("no CA is given");
            }
            Trust::Entities(anchors.iter().filter_map(|place| entities.ca_certificates.find(place)).collect())
        }
        (None, None) if verify => {
            fields.place().problem(
                "tls_verify needs a CA: give ca_file or ca_certificates, \
                 or say tls_verify: false to trust any upstream",
            );
            return None;
        }
        (None, None) => return None,
    };
    if !verify {
        fields
            .place()
            .problem("a CA is given, but tls_verify: false leaves it unused: take one of the two out");
    }
    Some(trust)
}

fn needs_trust(place: &Place<'_>, trust: Option<&Trust>) {
    if trust.is_none() {
        place.problem("without tls_verify and a CA nothing of the upstream's certificate is checked");
    }
}

fn names_at(place: &Place<'_>) -> Vec<UpstreamName> {
    let items = place.items();
    if items.is_empty() {
        place.problem("no name is given");
    }
    let name = |place: &Place<'_>| {
        let text = place.string()?;
        if is_uri(text) {
            return Some(UpstreamName::Uri(text.to_owned()));
        }
        // An address is no DNS name, though Rust's parser takes both.
        if text.parse::<std::net::IpAddr>().is_err() && !text.contains('*') && text.parse::<Name>().is_ok() {
            return Some(UpstreamName::Dns(text.to_ascii_lowercase()));
        }
        place.problem(format_args!("{text:?} is neither a URI (spiffe://…) nor a DNS name"));
        None
    };
    items.iter().filter_map(name).collect()
}

/// A scheme and something after it (RFC 3986, section 3), which is compared as it stands.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(known)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

fn file(fields: &mut Fields<'_>, name: &'static str) -> Option<PathBuf> {
    path_at(&fields.need(name)?)
}

fn path_at(place: &Place<'_>) -> Option<PathBuf> {
    let path = place.string()?;
    if path.is_empty() {
        place.problem("an empty path");
    }
    Some(path.into())
}

fn certificate_name_at(place: &Place<'_>) -> Option<String> {
    let name = place.string()?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=128).contains(&name.len()) || !name.bytes().all(known) {
        place.problem(format_args!("{name:?} is not a name: 1 to 128 letters, digits and . _ -"));
        return None;
    }
    Some(name.to_owned())
}

fn peek_name<'d>(place: &Place<'d>) -> Option<&'d str> {
    let Value::Map(entries) = &place.node().value else { return None };
    let (_, node) = entries.iter().find(|(key, _)| key.name == "name")?;
    match &node.value {
        Value::String(name) => Some(name),
        _ => None,
    }
}

/// Seconds, at least a tenth of one.
fn interval_at(place: &Place<'_>) -> Option<Duration> {
    let seconds = place.number()?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(interval) if interval >= Duration::from_millis(100) => Some(interval),
        _ => {
            place.problem(format_args!("{seconds} seconds is not an interval: at least 0.1"));
            None
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
