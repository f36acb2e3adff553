//! What is asked of an Envoy through its admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::gateway::ask::Peer;

/// The admin interface on its socket.
pub struct Admin(Peer);

impl Admin {
    pub fn at(socket: PathBuf) -> Self {
        Self(Peer::Unix(socket))
    }

    /// Whether it serves, all that was waited for included.
    pub fn is_ready(&self) -> bool {
        self.get("/ready").is_ok()
    }

    /// Where a listener listens.
    ///
    /// # Errors
    /// It doesn't.
    pub fn listener(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let all: Value = serde_json::from_str(&self.get("/listeners?format=json")?)?;
        let statuses = all["listener_statuses"].as_array().into_iter().flatten();
        let address = statuses.filter(|status| status["name"] == name).find_map(|status| {
            let address = &status["local_address"]["socket_address"];
            let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
            Some(SocketAddr::new(address["address"].as_str()?.parse().ok()?, port))
        });
        address.with_context(|| format!("Envoy has no listener {name:?}"))
    }

    /// Stats whose names a pattern finds, by name; text as it is, without its quotes.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn stats(&self, pattern: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let text = self.get(&format!("/stats?filter={pattern}"))?;
        let pairs = text.lines().filter_map(|line| line.split_once(": "));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let (code, answer) =
            self.0.ask(Request::get(path), Bytes::new(), PATIENCE).context("cannot ask Envoy")?;
        ensure!(
            code == StatusCode::OK,
            "Envoy answers {code}: {}",
            String::from_utf8_lossy(&answer).trim_end()
        );
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
