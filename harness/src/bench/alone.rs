//! The filter alone, in wasmtime: what it costs where no gateway is around it.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::decision::{Decisions, decisions};
use super::filters;
use super::spread::Spread;
use crate::gateway;
use crate::gateway::embedded::wasm::{
    Filters, Headers, Limits, Outcome, Properties, Root, Stream, Unsettable, Worker,
};

/// Figures of the filter alone.
#[derive(Clone, Debug, Serialize)]
pub struct Alone {
    /// Microseconds of a decision with a key in a header, to be hidden, without any host call.
    pub decisions: Vec<Decisions>,
    /// Microseconds of an allowed request with a key in a header, to be hidden: all callbacks, host calls included.
    pub requests: Vec<Requests>,
    /// The same for a filter without any code: what is left is the host's.
    pub empty_microseconds: Option<Spread>,
    /// Host calls of such a request.
    pub host_calls: Vec<(String, u32)>,
    /// Milliseconds to take over a policy of [`MANY`] keys.
    pub configure_milliseconds: Option<Spread>,
    /// Growth of the filter's memory by such a policy, divided by its keys. With what was needed to read it.
    pub bytes_per_key: f64,
    /// Likewise by a second one, of other consumers: for reading it there is memory already.
    pub bytes_per_further_key: f64,
    /// Memory after 200 routes with the same consumers, divided by that after one.
    pub two_hundred_routes: f64,
    /// Bytes of memory after the second, the 1,000th and the 5,000th change of a policy of 1,000 keys.
    pub reconfigured: [usize; 3],
}

/// Requests under a policy of so many keys, 1,000 of which are used in turn.
#[derive(Clone, Debug, Serialize)]
pub struct Requests {
    pub keys: usize,
    pub microseconds: Option<Spread>,
}

/// Measures.
///
/// # Errors
/// There is no filter, or it does not do what it should.
pub fn alone(rounds: usize) -> anyhow::Result<Alone> {
    let decisions =
        decisions(rounds, &gateway::filters()?.with_file_name("bench-filters").join("decide.wasm"))?;
    let directory = tempfile::tempdir()?;
    filters::collect(&gateway::filters()?, ["empty"].into_iter(), directory.path())?;
    let limits = Limits { memory: 1 << 30, configure: Duration::from_secs(120), ..Limits::default() };
    let filters = Filters::load_with(directory.path(), limits)?;

    let mut requests = Vec::new();
    let mut host_calls = Vec::new();
    for keys in [1, 1_000, MANY] {
        let worker = Worker::new(&filters, Kong);
        let root = worker.configure(OURS, policy(keys, 0))?;
        host_calls = calls(&root)?;
        let microseconds = Spread::of(each(rounds, || turn(&root, keys))?);
        requests.push(Requests { keys, microseconds });
    }
    let worker = Worker::new(&filters, Kong);
    let empty = worker.configure("empty", Vec::new())?;
    let empty_microseconds = Spread::of(each(rounds, || turn(&empty, 1))?);

    let (many, others) = (policy(MANY, 0), policy(MANY, 0));
    let others = String::from_utf8(others)?.replace("consumer-", "customer-");
    let (mut grown, mut grown_further) = (0, 0);
    let configure_milliseconds = Spread::of(each(rounds, || {
        let worker = Worker::new(&filters, Kong);
        let _small = worker.configure(OURS, policy(1, 0))?;
        let before = memory(&worker)?;
        let started = thread_time();
        let _root = worker.configure(OURS, many.clone())?;
        let time = thread_time() - started;
        let with_one = memory(&worker)?;
        grown = with_one - before;
        let _other = worker.configure(OURS, others.clone().into_bytes())?;
        grown_further = memory(&worker)? - with_one;
        Ok(time.as_secs_f64() * 1000.0)
    })?);
    Ok(Alone {
        decisions,
        requests,
        empty_microseconds,
        host_calls,
        configure_milliseconds,
        bytes_per_key: ratio(grown, MANY),
        bytes_per_further_key: ratio(grown_further, MANY),
        two_hundred_routes: many_routes(&filters)?,
        reconfigured: reconfigured(&filters)?,
    })
}

impl Alone {
    /// As tables in Markdown.
    pub fn markdown(&self) -> String {
        let spread = |spread: &Option<Spread>, digits: usize| {
            spread.map_or_else(
                || "–".to_owned(),
                |Spread { median, min, max }| format!("{median:.digits$} ({min:.digits$}, {max:.digits$})"),
            )
        };
        let mut text =
            "The filter alone in wasmtime, by processor time; median (least, greatest).\n\n| what | |\n| --- | --- |\n"
                .to_owned();
        for Decisions { keys, microseconds } in &self.decisions {
            let _ = writeln!(
                text,
                "| a decision, {keys} keys, no host called, µs | {} |",
                spread(microseconds, 2)
            );
        }
        for Requests { keys, microseconds } in &self.requests {
            let _ = writeln!(text, "| an allowed request, {keys} keys, µs | {} |", spread(microseconds, 2));
        }
        let calls: Vec<_> = self.host_calls.iter().map(|(name, count)| format!("{count} × {name}")).collect();
        let [second, middle, last] = self.reconfigured;
        let _ = writeln!(
            text,
            "| the same by a filter without any code, µs | {} |\n| host calls of it | {} |\n\
             | taking over {MANY} keys, ms | {} |\n| memory for each of them, with what reading them took, bytes | {:.0} |\n\
             | memory for each of {MANY} further ones, strings included, bytes | {:.0} |\n\
             | memory of 200 routes with the same 1,000 consumers, against one | {:.2} |\n\
             | memory after the 2nd, the 1,000th and the 5,000th change of a policy, bytes | {second}, {middle}, {last} |",
            spread(&self.empty_microseconds, 2),
            calls.join(", "),
            spread(&self.configure_milliseconds, 0),
            self.bytes_per_key,
            self.bytes_per_further_key,
            self.two_hundred_routes,
        );
        text
    }
}

fn each(rounds: usize, mut measure: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<Vec<f64>> {
    (0..rounds).map(|_| measure()).collect()
}

/// Microseconds of one of many requests.
fn turn(root: &Root, keys: usize) -> anyhow::Result<f64> {
    const REQUESTS: u32 = 20_000;
    let asking: Vec<_> = (0..keys).step_by(keys.div_ceil(1_000)).map(headers).collect();
    let mut all: Vec<_> = asking.iter().cycle().take(REQUESTS as usize).cloned().collect();
    let started = thread_time();
    for headers in &mut all {
        let mut stream = Stream::start([root]);
        let outcome = stream.request_headers(headers, &mut Kong)?;
        ensure!(outcome == Outcome::Continue, "a request is refused");
        stream.finish();
    }
    Ok(((thread_time() - started) / REQUESTS).as_secs_f64() * 1e6)
}

/// Host calls of a request that is not the first.
fn calls(root: &Root) -> anyhow::Result<Vec<(String, u32)>> {
    turn(root, 1)?;
    let mut stream = Stream::start([root]);
    stream.request_headers(&mut headers(0), &mut Kong)?;
    let calls = stream.calls().filter(|(_, count)| *count > 0);
    let mut calls: Vec<_> = calls.map(|(name, count)| (name.to_owned(), count)).collect();
    calls.sort();
    stream.finish();
    Ok(calls)
}

/// Processor time of this thread: others may want the processor too.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Memory is counted beyond what an empty policy takes.
fn many_routes(filters: &Filters) -> anyhow::Result<f64> {
    let worker = Worker::new(filters, Kong);
    let mut roots = vec![worker.configure(OURS, policy(0, 0))?];
    let none = memory(&worker)?;
    let mut after = Vec::new();
    for route in 0..200 {
        roots.push(worker.configure(OURS, policy(1_000, route))?);
        after.push(memory(&worker)? - none);
    }
    let (one, all) = (after.first().context("no route")?, after.last().context("no route")?);
    Ok(ratio(*all, *one))
}

fn reconfigured(filters: &Filters) -> anyhow::Result<[usize; 3]> {
    let worker = Worker::new(filters, Kong);
    let mut root = worker.configure(OURS, policy(1_000, 0))?;
    let mut sizes = Vec::new();
    for change in 1..=5_000 {
        // The new one is there before the old one goes, as in a gateway.
        let next = worker.configure(OURS, policy(1_000 + change % 2, change))?;
        std::mem::replace(&mut root, next).release();
        sizes.push(memory(&worker)?);
    }
    // The second: by then both versions have been in memory.
    Ok([sizes[1], sizes[999], sizes[4_999]])
}

fn memory(worker: &Worker) -> anyhow::Result<usize> {
    worker.memory(OURS).context("the filter has no memory")
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn ratio(a: usize, b: usize) -> f64 {
    a as f64 / b as f64
}

/// A policy of so many consumers, each with a key; the same consumers on each route.
fn policy(keys: usize, route: usize) -> Vec<u8> {
    let mut consumers = String::new();
    for number in 0..keys {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(consumers, r#"{comma}{{"username":"consumer-{number}","keys":[{{"id":"1","sha256":""#);
        for byte in Sha256::digest(key(number)) {
            let _ = write!(consumers, "{byte:02x}");
        }
        consumers += r#""}]}"#;
    }
    format!(
        r#"{{"key_names":["X-API-Key"],"hide_credentials":true,"client_certificate":"c","realm":"{route}",
            "consumers":[{consumers}]}}"#
    )
    .into_bytes()
}

fn headers(number: usize) -> Headers {
    [
        (":method", "GET"),
        (":path", "/dogs/7"),
        (":authority", "kong:8000"),
        (":scheme", "http"),
        ("host", "dogs.example"),
        ("accept", "*/*"),
        ("user-agent", "curl/8.5.0"),
        ("x-api-key", &key(number)),
    ]
    .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
    .to_vec()
}

/// As long as 256 bits in base64: SHA-256 takes one block for it, as for any of up to 55 bytes.
fn key(number: usize) -> String {
    format!("key-of-a-consumer-whose-number-is-{number:09}")
}

/// Kong and its plugin as far as the filter asks them.
#[derive(Clone)]
struct Kong;

impl Properties for Kong {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        match path {
            "ngx.upstream_uri" => Some(b"/dogs/7".to_vec()),
            "kong.mtls_policy.allow.c\nx-api-key" => Some(b"done".to_vec()),
            _ => None,
        }
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }
}

const OURS: &str = "mtls-policy";
const MANY: usize = 100_000;
