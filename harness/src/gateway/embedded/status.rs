//! What a gateway tells about itself: no keys, nothing that a client has sent.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::body::full;
use super::core::Core;
use super::page;
use super::upstream::{Body, ClientCertificate, Plugin, Watched};

/// `GET /status`, `GET /metrics` for Prometheus, and the page where it was asked for.
pub(super) async fn answer(core: &Arc<Core>, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/status" | "/metrics" => own(core, &request),
        _ if core.page.is_some() => page::answer(core, request).await,
        _ => own(core, &request),
    }
}

fn own(core: &Core, request: &Request<Incoming>) -> Response<Body> {
    let json = |status, value: Value| (status, "application/json", format!("{value:#}\n"));
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/status") => json(StatusCode::OK, report(core)),
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, PROMETHEUS, metrics(core)),
        (_, "/status" | "/metrics") => {
            json(StatusCode::METHOD_NOT_ALLOWED, json!({ "message": "Method not allowed" }))
        }
        _ => json(StatusCode::NOT_FOUND, json!({ "message": "Not found" })),
    };
    let mut response = Response::new(full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn metrics(core: &Core) -> String {
    let generation = core.in_force();
    let plugins = generation.upstreams.plugins.iter().map(|plugin| &**plugin);
    core.metrics.text(plugins, OffsetDateTime::now_utc())
}

fn report(core: &Core) -> Value {
    let generation = core.in_force();
    let filters =
        core.filters.metrics().into_iter().map(
            |reading| json!({ "filter": &*reading.filter, "name": &*reading.name, "value": reading.value }),
        );
    let pools = core.pools.keys().into_iter().map(|key| {
        let (host, port) = (&key.destination.host, key.destination.port);
        json!({ "identity": key.identity.to_string(), "host": host, "port": port })
    });
    json!({
        "reloads": core.reloads.read(),
        "requests": core.counters.read(),
        "filters": filters.collect::<Vec<_>>(),
        "upstream_mtls": generation.upstreams.plugins.iter().map(|plugin| instance(plugin)).collect::<Vec<_>>(),
        "pools": pools.collect::<Vec<_>>(),
    })
}

fn instance(plugin: &Plugin) -> Value {
    let certificates = plugin.certificates.iter().map(|(name, watched)| certificate(name, watched));
    let trust = plugin.trust().map(|anchors| {
        let not_after = anchors.in_force().ok().and_then(|anchors| date(anchors.not_after));
        json!({ "first_not_after": not_after, "refused": refused(anchors.refused()) })
    });
    let revocations = plugin.revocations().map(|lists| {
        let not_after = lists.in_force().ok().and_then(|lists| date(lists.not_after));
        json!({ "first_not_after": not_after, "refused": refused(lists.refused()) })
    });
    json!({
        "scope": plugin.scope,
        "client_certificates": certificates.collect::<Vec<_>>(),
        "trust": trust,
        "revocations": revocations,
    })
}

fn certificate(name: &str, watched: &Watched<ClientCertificate>) -> Value {
    let in_force = watched.in_force().ok();
    let leaf = in_force.as_ref().map(|certificate| &certificate.leaf);
    json!({
        "name": name,
        "subject": leaf.map(|leaf| &leaf.subject),
        "fingerprint": leaf.map(|leaf| &leaf.fingerprint),
        "not_before": leaf.and_then(|leaf| date(leaf.not_before)),
        "not_after": leaf.and_then(|leaf| date(leaf.not_after)),
        // Why what the files hold now is not in force; null: it is.
        "refused": refused(watched.refused()),
    })
}

fn refused(why: Option<super::upstream::Unusable>) -> Option<String> {
    why.map(|why| why.to_string())
}

pub(super) fn date(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
