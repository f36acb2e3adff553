//! What is asked of a running Kong over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::wait::answer;

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

fn message(code: StatusCode, answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["message"].as_str().map_or_else(|| code.to_string(), str::to_owned)
}

/// One request on a connection of its own.
pub fn ask(
    to: SocketAddr,
    request: http::request::Builder,
    body: Bytes,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let request = request.header(HOST, to.to_string()).body(Full::new(body))?;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(to).await?)).await?;
        let said = async {
            let response = sender.send_request(request).await?;
            let code = response.status();
            anyhow::Ok((code, response.into_body().collect().await?.to_bytes()))
        };
        tokio::pin!(said);
        tokio::select! {
            said = &mut said => said,
            ended = connection => { ended?; said.await }
        }
    };
    answer(async { timeout(PATIENCE, exchange).await.context("no answer in time")? })
        .with_context(|| format!("cannot ask Kong at {to}"))
}

/// A large config is checked in well under a minute.
const PATIENCE: Duration = Duration::from_secs(60);
