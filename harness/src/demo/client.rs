//! Model Citizen, and somebody who goes to Dogcatcher directly.

use anyhow::Context;
use reqwest::blocking::{self, RequestBuilder};
use reqwest::{Certificate, Identity};
use serde_json::Value;

use crate::stack::Stack;
use pki::Issued;

/// Speaks plain HTTP to the gateway.
pub struct Client {
    http: blocking::Client,
    base: String,
}

/// A request of it.
pub struct Request(RequestBuilder);

impl Client {
    pub fn of(stack: &Stack) -> anyhow::Result<Self> {
        let base = format!("http://{}", stack.gateway().proxy());
        Ok(Self { http: blocking::Client::builder().no_proxy().build()?, base })
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        let url = format!("{}{path}", self.base);
        Request(match method {
            "POST" => self.http.post(url).json(&serde_json::json!({ "name": "Rex" })),
            _ => self.http.get(url),
        })
    }
}

impl Request {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn json(self) -> anyhow::Result<Value> {
        self.0.send()?.json().context("the answer is not JSON")
    }

    /// Status, and either the message or as whom Dogcatcher was called.
    pub fn summary(self) -> anyhow::Result<String> {
        summary(self.0.send()?)
    }
}

/// Goes to Dogcatcher without a gateway.
pub struct Direct;

impl Direct {
    /// What comes of it, with that certificate or without one.
    pub fn with(stack: &Stack, identity: Option<&Issued>) -> anyhow::Result<String> {
        let mut client = blocking::Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(stack.authority().pem().as_bytes())?]);
        if let Some(issued) = identity {
            let pem = issued.key().pem() + &issued.chain_pem();
            client = client.identity(Identity::from_pem(pem.as_bytes())?);
        }
        let address = stack.dogcatcher().mtls().context("Dogcatcher has no address")?;
        let url = format!("https://localhost:{}/api/whoami", address.port());
        match client.build()?.get(url).send() {
            Ok(answer) => summary(answer),
            Err(_) => Ok("handshake refused".to_owned()),
        }
    }
}

fn summary(answer: blocking::Response) -> anyhow::Result<String> {
    let status = answer.status().as_u16();
    let caller = answer.headers().get("x-seen-client").and_then(|name| name.to_str().ok()).map(str::to_owned);
    let body: Value = answer.json().unwrap_or_default();
    Ok(match (caller, body["message"].as_str()) {
        (Some(caller), _) => format!("{status} as {caller}"),
        (None, Some(message)) => format!("{status} {message}"),
        (None, None) => status.to_string(),
    })
}
