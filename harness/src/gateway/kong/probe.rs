//! Finds out whether every worker of a node works with the latest change of the configuration.
//!
//! In a database, Kong's workers learn of a change by and by: each rebuilds its router, its plugins iterator and its
//! filter chains for itself. The driver keeps a route and a plugin of its own in the database, which no request is ever
//! for, and changes their generation after all else; events reach a node in order. A server block of the driver's own, in
//! Kong's nginx and beside Kong's listeners, answers which worker it runs in and which generation that worker knows.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

/// The name of the plugin.
pub const NAME: &str = "harness-probe";

/// `handler.lua` of the plugin. It does nothing.
pub const HANDLER: &str = "return { PRIORITY = 1, VERSION = \"1.0.0\" }\n";

/// Returns the server block, to be included into nginx's `http` block.
pub fn server(address: SocketAddr) -> String {
    format!(
        "server {{\n  listen {address} reuseport;\n  access_log off;\n  location / {{\n    \
         content_by_lua_block {{\n{ANSWER}    }}\n  }}\n}}\n"
    )
}

const ANSWER: &str = r#"
-- Answers which worker this is, and which state of the configuration it works with.
local runloop = require "kong.runloop.handler"
local has_wasm, wasm = pcall(require, "kong.runloop.wasm")

local function router()
  local current = runloop._get_updated_router()
  local route = current and current.routes and current.routes["6c1d3a52-6f0e-4a57-9d0b-0d0f5d1c7e01"]
  return route and route.tags and tonumber(route.tags[1]) or 0
end

local function plugins()
  local current = runloop.get_plugins_iterator()
  local workspace = current and current.ws[kong.default_workspace]
  local _, config = next(workspace and workspace.combos["harness-probe"] or {})
  return config and config.generation or 0
end

local function filter_chains()
  if not has_wasm or not wasm.enabled() then
    return "off"
  end
  if kong.db.strategy == "off" then
    -- A data plane replaces all at once.
    return "current"
  end
  -- There is no function that returns the version of a worker's filter chains (Kong 3.9).
  for i = 1, 60 do
    local name, value = debug.getupvalue(wasm.set_state, i)
    if name == "STATE" then
      return value.version == wasm.get_version() and "current" or "outdated"
    end
  end
  return "unknown"
end

local body = require("cjson").encode({
  worker = ngx.worker.pid(),
  -- Before filter chains: their version is that of these changes, or a later one.
  plugins = plugins(),
  router = router(),
  filter_chains = filter_chains(),
})
ngx.header["Content-Length"] = #body
ngx.print(body)
"#;

/// `schema.lua` of the plugin.
pub const SCHEMA: &str = r#"return {
  name = "harness-probe",
  fields = {
    { config = { type = "record", fields = { { generation = { type = "integer", required = true } } } } },
  },
}
"#;

/// The route and the plugin in the Admin API: paths and bodies.
pub fn entities(generation: u64) -> [(&'static str, Value); 2] {
    [
        (
            "/routes/6c1d3a52-6f0e-4a57-9d0b-0d0f5d1c7e01",
            json!({
                "name": NAME,
                "hosts": ["harness-probe.invalid"],
                // A change of the tags is a change of the route like any other: the router is rebuilt.
                "tags": [generation.to_string()],
            }),
        ),
        (
            "/plugins/6c1d3a52-6f0e-4a57-9d0b-0d0f5d1c7e02",
            json!({
                "name": NAME,
                "route": { "id": "6c1d3a52-6f0e-4a57-9d0b-0d0f5d1c7e01" },
                "config": { "generation": generation },
            }),
        ),
    ]
}

/// What one worker answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct State {
    worker: u32,
    plugins: u64,
    router: u64,
    filter_chains: FilterChains,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FilterChains {
    Off,
    Current,
    Outdated,
    /// This Kong does not tell.
    Unknown,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All workers have taken over all.
    Done,
    /// All but filter chains: that lasts a moment, or until the cause is repaired.
    AllButFilterChains,
    Waiting,
}

/// Connections to one node, one for each of its workers: a connection stays with its worker.
pub struct Probe {
    address: SocketAddr,
    workers: usize,
    connections: Mutex<BTreeMap<u32, TcpStream>>,
}

impl Probe {
    /// `address` is that of [`server`], for which the system distributes connections among workers.
    pub fn new(address: SocketAddr, workers: usize) -> Self {
        Self { address, workers, connections: Mutex::default() }
    }

    /// Asks all workers.
    ///
    /// # Errors
    /// An answer that the server does not give.
    pub fn ask(&self, generation: u64) -> anyhow::Result<Progress> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states = BTreeMap::new();
        // One that has ended belonged to a worker that has.
        connections.retain(|worker, connection| match exchange(connection) {
            Ok(state) => {
                states.insert(*worker, state);
                true
            }
            Err(_) => false,
        });
        let mut attempts = 0..8 * self.workers;
        while connections.len() < self.workers && attempts.next().is_some() {
            let mut connection = TcpStream::connect(self.address)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            let state = exchange(&mut connection)?;
            connections.insert(state.worker, connection);
            states.insert(state.worker, state);
        }
        judge(states.values(), self.workers, generation)
    }
}

fn judge<'s>(
    states: impl Iterator<Item = &'s State>,
    workers: usize,
    generation: u64,
) -> anyhow::Result<Progress> {
    let (mut seen, mut outdated) = (0, false);
    for state in states {
        ensure!(
            state.filter_chains != FilterChains::Unknown,
            "this Kong does not tell the version of its filter chains"
        );
        if state.plugins < generation || state.router < generation {
            return Ok(Progress::Waiting);
        }
        outdated |= state.filter_chains == FilterChains::Outdated;
        seen += 1;
    }
    Ok(match (seen < workers, outdated) {
        (true, _) => Progress::Waiting,
        (false, true) => Progress::AllButFilterChains,
        (false, false) => Progress::Done,
    })
}

/// One request.
fn exchange(connection: &mut TcpStream) -> anyhow::Result<State> {
    write!(connection, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = connection.read(&mut part)?;
        ensure!(length > 0, "the connection was closed");
        answer.extend_from_slice(&part[..length]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(start) = response.parse(&answer)? else { continue };
        let length =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = length.context("an answer without Content-Length")?.value;
        let length: usize = std::str::from_utf8(length)?.trim().parse()?;
        let Some(body) = answer.get(start..start + length) else { continue };
        return match response.code {
            Some(200) => Ok(serde_json::from_slice(body)?),
            code => bail!("the driver's own server answers {code:?}: {}", String::from_utf8_lossy(body)),
        };
    }
}

/// A rebuild keeps a worker from answering.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_counts() {
        let state = |worker, plugins, router, filter_chains| State { worker, plugins, router, filter_chains };
        use FilterChains::{Current, Off, Outdated, Unknown};
        let rows = [
            (vec![state(1, 3, 3, Current), state(2, 3, 3, Off)], Progress::Done),
            (vec![state(1, 4, 4, Current), state(2, 3, 3, Current)], Progress::Done),
            (vec![state(1, 3, 3, Current)], Progress::Waiting),
            (vec![state(1, 3, 3, Current), state(2, 2, 3, Current)], Progress::Waiting),
            (vec![state(1, 3, 3, Current), state(2, 3, 2, Current)], Progress::Waiting),
            (vec![state(1, 3, 3, Current), state(2, 3, 3, Outdated)], Progress::AllButFilterChains),
        ];
        for (states, expected) in rows {
            assert_eq!(judge(states.iter(), 2, 3).unwrap(), expected, "{states:?}");
        }
        judge([state(1, 3, 3, Unknown)].iter(), 1, 3).unwrap_err();
    }
}
