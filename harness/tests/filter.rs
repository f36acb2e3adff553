//! The filter as it ships, in hosts that say what it asks and logs.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::{Arc, Mutex, OnceLock};

use harness::gateway::embedded::wasm::{Filters, Outcome, Properties, Root, Stream, Unsettable, Worker};
use mtls_policy::policy::schema;

#[path = "../../filter/tests/lists/mod.rs"]
mod lists;

#[test]
fn an_empty_object_is_an_empty_list_in_every_field() {
    let worker = worker(&Host::default());
    let problems = |document: &str| {
        let refused = worker.configure("mtls-policy", document.as_bytes()).map(drop);
        refused.map_err(|refused| refused.log)
    };
    for list in lists::all(&schema::policy()) {
        assert_eq!(problems(&list.object), problems(&list.array), "{}: {}", list.path, list.object);
    }
}

#[test]
fn problems_are_logged_as_the_host_treats_them() {
    let problems = ["realm: has to be a string, is a number", "key_nmaes: there is no such field"];
    for (host, before) in [
        (Host::default(), "policy invalid, its requests are rejected with status 503: "),
        (Host::envoy(), "policy invalid: "),
    ] {
        let log = worker(&host).configure("mtls-policy", *INVALID).map(drop).unwrap_err().log;
        assert_eq!(log.len(), 2, "{log:?}");
        for (line, problem) in log.iter().zip(problems) {
            assert!(line.starts_with(&format!("{before}{problem}")), "{line}");
        }
    }
}

#[test]
fn an_invalid_policy_rejects_its_requests_and_no_others() {
    let host = Host::default();
    let worker = worker(&host);
    let valid = worker.configure("mtls-policy", *br#"{"anonymous":"guest"}"#).unwrap();
    let closed = worker.configure("mtls-policy", *INVALID).map(drop).unwrap_err();
    let closed = closed.into_root().unwrap();
    host.take();
    let Outcome::Respond(response) = request(&host, &closed) else { panic!("it passes") };
    assert_eq!(response.status, 503);
    assert!(String::from_utf8_lossy(&response.body).contains("No valid policy"));
    let heard = host.take();
    let reason = "log 503: the policy is invalid: realm: has to be a string, is a number";
    assert!(heard.iter().any(|each| each == reason), "{heard:?}");
    assert!(heard.iter().any(|each| each == "get kong.mtls_policy.invalid"), "{heard:?}");

    assert_eq!(request(&host, &valid), Outcome::Continue);
    assert!(!host.take().iter().any(|each| each == "get kong.mtls_policy.invalid"));
}

#[test]
fn an_established_consumer_is_looked_for_only_where_it_may_be_kept() {
    let rows: [(&str, &[&str]); 3] = [
        (r#"{"consumers":[{"username":"ann"}]}"#, &[]),
        (r#"{"anonymous":"guest"}"#, &["get kong.client.consumer.credential"]),
        (
            r#"{"authentication":"gateway"}"#,
            &[
                "get kong.client.consumer.credential",
                "get kong.client.consumer.id",
                "get kong.client.consumer.username",
                "get kong.client.consumer.custom_id",
                "get kong.client.consumer.groups",
            ],
        ),
    ];
    for (policy, expected) in rows {
        let host = Host::default();
        let root = worker(&host).configure("mtls-policy", policy.as_bytes()).unwrap();
        request(&host, &root);
        let mut heard = host.take();
        heard.retain(|each| each.starts_with("get kong.client.consumer."));
        assert_eq!(heard, expected, "{policy}");
    }
}

const INVALID: &[u8; 28] = br#"{"key_nmaes":[],"realm":7}  "#;

fn worker(host: &Host) -> Worker {
    // Compiled once: that takes longer than all of the tests.
    static FILTERS: OnceLock<Filters> = OnceLock::new();
    let filters = FILTERS.get_or_init(|| Filters::load(&harness::gateway::filters().unwrap()).unwrap());
    Worker::new(filters, host.clone())
}

fn request(host: &Host, root: &Root) -> Outcome {
    let headers = [(":method", "GET"), (":path", "/"), (":authority", "kong"), ("host", "dogs.example")];
    let mut headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    let mut stream = Stream::start([root]);
    let outcome = stream.request_headers(&mut headers, &mut host.clone()).unwrap();
    stream.finish();
    outcome
}

/// A host that notes which properties are read and what is logged. By its properties it is Kong, but for `node`.
#[derive(Clone, Default)]
struct Host {
    node: Option<&'static str>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Host {
    fn envoy() -> Self {
        Self { node: Some("gateway"), ..Self::default() }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Properties for Host {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        self.heard.lock().unwrap().push(format!("get {path}"));
        match path {
            "node.id" => self.node.map(Into::into),
            "ngx.upstream_uri" => Some(b"/".to_vec()),
            _ => None,
        }
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }

    fn log(&mut self, _: log::Level, _: &str, message: &str) {
        self.heard.lock().unwrap().push(format!("log {message}"));
    }
}
