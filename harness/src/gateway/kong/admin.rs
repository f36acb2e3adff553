//! What is asked of a running Kong over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::gateway::ask::Peer;

/// Asks a Kong's status listener whether all of its workers serve.
///
/// # Errors
/// Not yet; why.
pub fn ready(status: SocketAddr) -> anyhow::Result<()> {
    // Kong 3.3 and later.
    let (code, answer) = ask(status, Request::get("/status/ready"), Bytes::new())?;
    if code != StatusCode::OK { Err(anyhow!("{}", message(code, &answer))) } else { Ok(()) }
}

/// Gives a Kong another declarative config through its Admin API, `POST /config`. It has checked it when this returns;
/// its workers take it over after that, each for itself.
///
/// # Errors
/// It is refused, in Kong's words.
pub fn post_config(admin: SocketAddr, config: &str) -> anyhow::Result<()> {
    let body = serde_json::to_vec(&json!({ "config": config }))?;
    let request = Request::post("/config").header(CONTENT_TYPE, "application/json");
    let (code, answer) = ask(admin, request, body.into())?;
    if code != StatusCode::CREATED {
        bail!("{}", message(code, &answer));
    }
    Ok(())
}

/// What an answer of Kong's says, else its status.
pub fn message(code: StatusCode, answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["message"].as_str().map_or_else(|| code.to_string(), str::to_owned)
}

/// Asks a Kong.
///
/// # Errors
/// It doesn't answer.
pub fn ask(
    to: SocketAddr,
    request: http::request::Builder,
    body: Bytes,
) -> anyhow::Result<(StatusCode, Bytes)> {
    Peer::Tcp(to).ask(request, body, PATIENCE).with_context(|| format!("cannot ask Kong at {to}"))
}

/// A large config is checked in well under a minute.
const PATIENCE: Duration = Duration::from_secs(60);
