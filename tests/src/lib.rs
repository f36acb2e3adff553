//! What the suites share: one stack of PKI, Dogcatcher and the gateway that is asked for, and a client.
//!
//! A suite sees the gateway through [`harness::gateway::Running`] only. `HARNESS_GATEWAY` names it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod raw;
mod runner;
mod seen;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use harness::dogcatcher::{Dogcatcher, Tls};
use harness::gateway::{Gateway, Options, Unavailable};
use harness::pki::{Authority, Issued, Leaf, Validity};
use harness::stack::{ANY_PORT, Plan, Stack};
use reqwest::blocking::{Client, RequestBuilder};

pub use harness::stack::digest;
pub use runner::{Test, run, skip};
pub use seen::Seen;

/// A stack with one service, on whose route `/dogs` a policy is in force.
///
/// Its people: `model-citizen`, `vet` (of the group `vets`, with ids), `intern`, `guest` (without a key),
/// `former-citizen` (whose key has expired) and `future-citizen` (whose key is not valid yet). Its client
/// certificates: `kong-client`, `kong-vet`, `kong-intern`.
pub struct Setting {
    stack: Stack,
    http: Client,
    /// Fingerprints of certificates that were put in place after the stack came up.
    replaced: Mutex<BTreeMap<String, String>>,
    routes: &'static str,
}

impl Setting {
    /// With a policy, `consumers`, `key_names` and `hide_credentials: true` where it does not say otherwise.
    pub fn new(policy: &str) -> Self {
        Self::with_routes(policy, "")
    }

    /// With more routes of the same service.
    pub fn with_routes(policy: &str, routes: &'static str) -> Self {
        Self::try_new(policy, routes).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The gateway may refuse the config.
    pub fn try_new(policy: &str, routes: &'static str) -> anyhow::Result<Self> {
        crypto();
        let plan =
            Plan { config: &(kong_yml(policy) + routes), clients: &CLIENTS, proxy: ANY_PORT, status: None };
        let stack = Stack::up(&*gateway(), &plan)?;
        Ok(Self { stack, http: client(), replaced: Mutex::default(), routes })
    }

    pub fn proxy(&self) -> SocketAddr {
        self.stack.gateway().proxy()
    }

    pub fn log(&self) -> String {
        self.stack.gateway().log()
    }

    /// The API key of one of the people.
    pub fn key(&self, who: &str) -> String {
        self.stack.keys().of(who).unwrap()
    }

    pub fn get(&self, target: &str) -> Request<'_> {
        self.request("GET", target)
    }

    pub fn request(&self, method: &str, target: &str) -> Request<'_> {
        let url = format!("http://{}{target}", self.proxy());
        Request { setting: self, http: self.http.request(method.parse().unwrap(), url) }
    }

    /// How many requests the upstream has had.
    pub fn requests_upstream(&self) -> u64 {
        self.stack.dogcatcher().counts().requests
    }

    pub fn upstream(&self) -> &Dogcatcher {
        self.stack.dogcatcher()
    }

    /// Signs what the stack's own parts believe.
    pub fn authority(&self) -> &Authority {
        self.stack.authority()
    }

    /// Lets the upstream offer other TLS on the connections to come.
    pub fn upstream_tls(&self, change: impl FnOnce(&mut Tls)) {
        let mut tls = self.stack.dogcatcher_tls();
        change(&mut tls);
        self.stack.dogcatcher().set_tls(&tls).unwrap();
    }

    /// Another policy for the same route.
    pub fn reconfigure(&self, policy: &str) -> anyhow::Result<()> {
        self.stack.reconfigure(&(kong_yml(policy) + self.routes))
    }

    /// A new certificate and key, not yet in place: chain and key as PEM.
    pub fn issue(&self, name: &str) -> (String, String) {
        let issued = self.stack.authority().issue(&Leaf::client(name)).unwrap();
        (issued.chain_pem(), issued.key().pem())
    }

    /// Puts any content in the place of a client certificate.
    pub fn put(&self, name: &str, chain: &str, key: &str) {
        self.stack.put(name, chain, key, &self.stack.authority().pem()).unwrap();
    }

    /// Replaces a client certificate by a new one with a new key.
    pub fn replace(&self, name: &str, change: impl FnOnce(Leaf) -> Leaf) {
        let issued: Issued = self.stack.authority().issue(&change(Leaf::client(name))).unwrap();
        self.replaced.lock().unwrap().insert(name.to_owned(), issued.fingerprint());
        self.stack.rotate(name, &issued).unwrap();
    }

    /// The fingerprint of the certificate that was put in place last, or is presented since the beginning.
    pub fn fingerprint(&self, name: &str) -> String {
        if let Some(fingerprint) = self.replaced.lock().unwrap().get(name) {
            return fingerprint.clone();
        }
        self.stack.fingerprint(name).unwrap()
    }

    /// Lets the gateway trust another CA instead of the stack's own.
    pub fn trust(&self, authority: &Authority) {
        let (chain, key) = self.issue("kong-client");
        self.stack.put("kong-client", &chain, &key, &authority.pem()).unwrap();
    }

    pub fn trust_own(&self) {
        self.replace("kong-client", |leaf| leaf);
    }

    /// Asks until it is so; it has to be within 20 s.
    pub fn wait_until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !so() {
            assert!(Instant::now() < deadline, "waited in vain: {what}; the gateway's log:\n{}", self.log());
        }
    }
}

/// A request that is being put together.
pub struct Request<'s> {
    setting: &'s Setting,
    http: RequestBuilder,
}

impl Request<'_> {
    pub fn key(self, who: &str) -> Self {
        let key = self.setting.key(who);
        self.header("X-API-Key", &key)
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self { http: self.http.header(name, value), ..self }
    }

    pub fn body(self, body: Vec<u8>) -> Self {
        Self { http: self.http.body(body), ..self }
    }

    pub fn send(self) -> Seen {
        Seen::of(self.http.send().unwrap())
    }

    pub fn bytes(self) -> Vec<u8> {
        self.http.send().unwrap().bytes().unwrap().to_vec()
    }
}

/// Valid for a few seconds from now.
pub fn seconds_from_now(seconds: i64) -> Validity {
    Validity::lasting(time::Duration::seconds(seconds)).unwrap()
}

/// The gateway that is asked for; a test is skipped where it cannot run.
fn gateway() -> Box<dyn Gateway> {
    let name = std::env::var("HARNESS_GATEWAY").unwrap_or_else(|_| "embedded".to_owned());
    harness::gateway::by_name(&name, &Options::default()).unwrap_or_else(|error| absent(&name, error))
}

/// What becomes of a test whose gateway does not come up.
fn absent(name: &str, error: anyhow::Error) -> ! {
    let required = std::env::var("HARNESS_REQUIRE").unwrap_or_default();
    match error.downcast_ref::<Unavailable>() {
        Some(reason) if !required.split(',').any(|each| each == name) => skip(reason.to_string()),
        _ => panic!("{error:#}"),
    }
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

/// reqwest takes the process' TLS provider; somebody has to choose it.
fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
}

fn kong_yml(policy: &str) -> String {
    let own = |line: &str| policy.lines().any(|mine| mine.starts_with(line));
    let mut config = String::new();
    for (field, standard) in STANDARD {
        if !own(field) {
            config += standard;
        }
    }
    config += policy;
    let config: String = config.lines().map(|line| format!("        {line}\n")).collect();
    format!("{HEAD}      config:\n{config}")
}

const CLIENTS: [&str; 3] = ["kong-client", "kong-vet", "kong-intern"];

const HEAD: &str = r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins:
  - name: upstream-mtls
    config:
      client_certificates:
      - name: kong-client
        cert_file: /etc/secrets/kong-upstream-mtls/tls.crt
        key_file: /etc/secrets/kong-upstream-mtls/tls.key
      - name: kong-vet
        cert_file: /etc/secrets/kong-vet/tls.crt
        key_file: /etc/secrets/kong-vet/tls.key
      - name: kong-intern
        cert_file: /etc/secrets/kong-intern/tls.crt
        key_file: /etc/secrets/kong-intern/tls.key
      ca_file: /etc/secrets/kong-upstream-mtls/ca.crt
      reload_interval: 0.1
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
"#;

/// What a policy has unless it says otherwise: the field, and its lines.
const STANDARD: [(&str, &str); 3] = [
    ("key_names:", "key_names: [X-API-Key]\n"),
    ("hide_credentials:", "hide_credentials: true\n"),
    (
        "consumers:",
        r#"consumers:
- username: model-citizen
  keys: [{id: "1", sha256: <model-citizen>}]
- username: vet
  id: 7c1e0000-0000-4000-8000-000000000001
  custom_id: vet-1
  groups: [vets]
  keys: [{id: "1", sha256: <vet>}]
- username: intern
  keys: [{id: "1", sha256: <intern>}]
- username: guest
- username: former-citizen
  keys: [{id: "1", sha256: <former-citizen>, not_after: "2020-01-01T00:00:00Z"}]
- username: future-citizen
  keys: [{id: "1", sha256: <future-citizen>, not_before: "2999-01-01T00:00:00Z"}]
"#,
    ),
];
