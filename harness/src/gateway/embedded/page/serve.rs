//! What the status address answers to the page and its reader.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::document::DOCUMENT;
use super::guard::{self, Stranger};
use super::{explain, state};
use crate::gateway::embedded::body::full;
use crate::gateway::embedded::core::Core;
use crate::gateway::embedded::upstream::Body;

/// `GET /`, `GET /page/state` and `POST /page/explain`.
pub(in super::super) async fn answer(core: &Arc<Core>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let answer = match (head.uri.path(), &head.method) {
        ("/", &Method::GET | &Method::HEAD) => guard::host(&head).map(|_| document()),
        ("/page/state", &Method::GET | &Method::HEAD) => guard::same_site(&head).map(|()| told(core)),
        ("/page/explain", &Method::POST) => match guard::same_site(&head) {
            Ok(()) => Ok(explained(core, &head.headers, body).await),
            Err(stranger) => Err(stranger),
        },
        ("/" | "/page/state", _) => Ok(method_not_allowed("GET, HEAD")),
        ("/page/explain", _) => Ok(method_not_allowed("POST")),
        _ => Ok(json(StatusCode::NOT_FOUND, &json!({ "message": "Not found" }))),
    };
    let mut response = answer.unwrap_or_else(refused);
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn document() -> Response<Body> {
    let mut response = Response::new(full(Bytes::from_static(DOCUMENT.html.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Of digests and words: it is a header's value.
    if let Ok(policy) = HeaderValue::from_str(&DOCUMENT.policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn told(core: &Core) -> Response<Body> {
    let told = core.page.as_ref().map(|page| state::state(core, page));
    json(StatusCode::OK, &told.unwrap_or_default())
}

async fn explained(core: &Arc<Core>, headers: &HeaderMap, body: Incoming) -> Response<Body> {
    // A form of another site cannot say this without asking first.
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        let message = json!({ "message": "a question is application/json" });
        return json(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message);
    }
    let Ok(body) = Limited::new(body, MOST).collect().await else {
        return json(StatusCode::PAYLOAD_TOO_LARGE, &json!({ "message": "the question is too long" }));
    };
    let body = Zeroizing::new(Vec::from(body.to_bytes()));
    let Some(asked) = explain::read(&body) else {
        return json(StatusCode::BAD_REQUEST, &json!({ "message": "this is no question" }));
    };
    let core = core.clone();
    let explained = tokio::task::spawn_blocking(move || {
        let generation = core.in_force();
        explain::explain(&core.config_name(), &generation.text, asked, OffsetDateTime::now_utc())
    });
    match explained.await {
        Ok(Ok(explanation)) => json(StatusCode::OK, &explanation),
        Ok(Err(error)) => json(StatusCode::BAD_REQUEST, &json!({ "message": format!("{error:#}") })),
        Err(_) => json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({ "message": "the question could not be answered" }),
        ),
    }
}

fn refused(stranger: Stranger) -> Response<Body> {
    json(StatusCode::FORBIDDEN, &json!({ "message": stranger.message() }))
}

fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "message": "Method not allowed" }));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Bytes of a question.
const MOST: usize = 64 * 1024;

/// Of every answer. There is no CORS: no other site reads any of them.
const ALWAYS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
