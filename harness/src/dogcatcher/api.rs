//! The API itself: dogs, and what a caller looks like from here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::ledger::Seen;

/// `/health`, `/api/dogs/`, `/api/whoami`, and `/anything/*`, which answers as whoami does, so that any target can be
/// looked at from the other end. Then what moves bytes: `/api/echo/*` gives a body back while it comes, `/api/digest`
/// says what came, `/api/bytes/{count}` sends, `/api/socket` is a WebSocket that gives messages back, and
/// `/dogcatcher.Dogs/Echo` the same as a gRPC call.
pub(super) fn router(api_keys: &[String]) -> Router {
    let dogs = Kennel::default();
    let keys: Arc<[_]> = api_keys.iter().map(Sha256::digest).collect();
    let api = Router::new()
        .route("/api/dogs/", get(list).post(create))
        .route("/api/dogs", get(list).post(create))
        .route("/api/dogs/{id}", get(show).put(update).delete(remove))
        .route("/api/whoami", any(whoami))
        .route("/api/echo/{*rest}", post(echo).put(echo))
        .route("/api/digest", post(digest).put(digest))
        .route("/api/bytes/{count}", get(bytes))
        .route("/api/socket", any(socket))
        .route("/dogcatcher.Dogs/Echo", post(call))
        .route("/anything", any(whoami))
        .route("/anything/{*rest}", any(whoami))
        .with_state(dogs)
        .layer(middleware::from_fn(move |headers: HeaderMap, request: Request, next: Next| {
            let keys = keys.clone();
            async move {
                let known = |value: &[u8]| keys.contains(&Sha256::digest(value));
                if keys.is_empty() || headers.get("x-api-key").is_some_and(|key| known(key.as_bytes())) {
                    next.run(request).await
                } else {
                    problem(StatusCode::UNAUTHORIZED, "a valid X-API-Key is required")
                }
            }
        }));
    Router::new()
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .merge(api)
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing here") })
}

/// A dog as it is kept.
#[derive(Clone, Serialize)]
struct Dog {
    id: u64,
    #[serde(flatten)]
    description: Description,
}

/// What a caller says of a dog.
#[derive(Clone, Serialize, Deserialize)]
struct Description {
    name: String,
    #[serde(default)]
    breed: Option<String>,
}

/// The dogs, in memory, by their number.
#[derive(Clone, Default)]
struct Kennel(Arc<Mutex<BTreeMap<u64, Dog>>>);

impl Kennel {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<u64, Dog>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn list(State(dogs): State<Kennel>) -> Json<Vec<Dog>> {
    Json(dogs.with(|dogs| dogs.values().cloned().collect()))
}

async fn create(State(dogs): State<Kennel>, Json(description): Json<Description>) -> impl IntoResponse {
    let dog = dogs.with(|dogs| {
        let id = dogs.last_key_value().map_or(1, |(id, _)| id + 1);
        dogs.entry(id).or_insert(Dog { id, description }).clone()
    });
    (StatusCode::CREATED, Json(dog))
}

async fn show(State(dogs): State<Kennel>, Path(id): Path<u64>) -> Response {
    found(dogs.with(|dogs| dogs.get(&id).cloned()))
}

async fn update(
    State(dogs): State<Kennel>,
    Path(id): Path<u64>,
    Json(description): Json<Description>,
) -> Response {
    found(dogs.with(|dogs| {
        dogs.get_mut(&id).map(|dog| {
            dog.description = description;
            dog.clone()
        })
    }))
}

async fn remove(State(dogs): State<Kennel>, Path(id): Path<u64>) -> Response {
    found(dogs.with(|dogs| dogs.remove(&id)))
}

fn found(dog: Option<Dog>) -> Response {
    dog.map_or_else(|| problem(StatusCode::NOT_FOUND, "no such dog"), |dog| Json(dog).into_response())
}

async fn whoami(Extension(seen): Extension<Seen>) -> Json<Seen> {
    Json(seen)
}

async fn echo(headers: HeaderMap, body: Body) -> Response {
    let mut answer = Response::new(body);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    answer
}

/// Length and SHA-256 of a body, and the names of the trailers behind it.
async fn digest(body: Body) -> Response {
    let (mut body, mut length, mut digest) = (body, 0, Sha256::new());
    let mut trailers = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return problem(StatusCode::BAD_REQUEST, "the body broke off") };
        match frame.into_data() {
            Ok(data) => {
                length += data.len();
                digest.update(data);
            }
            Err(frame) => {
                let names = frame.into_trailers().unwrap_or_default();
                trailers.extend(names.keys().map(ToString::to_string));
            }
        }
    }
    let sha256 = format!("{:x}", Bytes::copy_from_slice(&digest.finalize()));
    Json(json!({ "length": length, "sha256": sha256, "trailers": trailers })).into_response()
}

/// So many zeros.
async fn bytes(Path(count): Path<u64>) -> Response {
    static ZEROS: [u8; 65_536] = [0; 65_536];
    let whole = count / ZEROS.len() as u64;
    let sizes = (0..whole).map(|_| ZEROS.len()).chain([(count % ZEROS.len() as u64) as usize]);
    let chunks = sizes.map(|size| Ok::<_, Infallible>(Bytes::from_static(&ZEROS[..size])));
    Body::from_stream(stream::iter(chunks)).into_response()
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(give_back)
}

async fn give_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A gRPC call without knowing of messages: the frames go back as they came, and then that all went well.
async fn call(body: Body) -> Response {
    let trailers =
        HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let mut answer = Response::new(Body::new(body.with_trailers(async { Some(Ok(trailers)) })));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
