//! One stack, and requests through it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use harness::cases::{Outcome, http};
use harness::dogcatcher::{self, Dogcatcher, Fault, Tls};
use harness::gateway::Options;
use harness::stack::{ANY_PORT, Plan, Stack};
use pki::{Authority, Issued, Leaf, Validity};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

use crate::config::{CLIENTS, with_policy};
use crate::{Seen, gateway};

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
    /// With a policy; see [`with_policy`].
    pub fn new(policy: &str) -> Self {
        Self::with_routes(policy, "")
    }

    /// With more routes of the same service.
    pub fn with_routes(policy: &str, routes: &'static str) -> Self {
        Self::try_new(policy, routes).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The gateway may refuse the policy.
    pub fn try_new(policy: &str, routes: &'static str) -> anyhow::Result<Self> {
        Ok(Self { routes, ..Self::up(&with_policy(policy, routes), &[])? })
    }

    /// With a whole config, written as [`Plan::config`].
    pub fn of(config: &str) -> Self {
        Self::up(config, &[]).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// With a whole config and some of Kong's settings, as in kong.conf. The gateway may refuse them.
    pub fn up(config: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::with_options(config, Options { settings, ..Options::default() })
    }

    /// With a whole config, on several nodes that share a database.
    pub fn on_nodes(nodes: usize, config: &str) -> Self {
        let options = Options { nodes, ..Options::default() };
        Self::with_options(config, options).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn with_options(config: &str, options: Options) -> anyhow::Result<Self> {
        crypto();
        let plan = Plan { config, clients: &CLIENTS, proxy: ANY_PORT, status: Some(ANY_PORT) };
        let stack = gateway::up(&plan, options)?;
        Ok(Self { stack, http: client(), replaced: Mutex::default(), routes: "" })
    }

    /// Where each node serves clients.
    pub fn proxies(&self) -> Vec<SocketAddr> {
        self.stack.gateway().nodes().into_iter().map(|node| node.proxy).collect()
    }

    /// Sends a request to Kong's Admin API, that of the first node: status and answer.
    pub fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let address = self.stack.gateway().nodes()[0].admin.expect("this gateway has no Admin API");
        // A connection of its own: Kong closes kept ones when its workers are replaced, and a change is not sent twice.
        let http = self.http.request(method.parse().unwrap(), format!("http://{address}{path}"));
        let request = http.header("Connection", "close");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().unwrap()).unwrap_or_default())
    }

    /// Waits until every worker of every node works with all that the Admin API has been told so far.
    pub fn await_changes(&self) {
        self.await_changes_and(|| {});
    }

    /// Likewise; calls a function when this holds for routes and Kong's own plugins, filters apart.
    pub fn await_changes_and(&self, mut plugins_are_current: impl FnMut()) {
        self.stack.gateway().await_changes(&mut plugins_are_current).unwrap();
    }

    /// Ends Kong's connections to its database and rejects new ones, or accepts them again.
    pub fn set_database_available(&self, is_available: bool) {
        self.stack.gateway().set_database_available(is_available).unwrap();
    }

    pub fn proxy(&self) -> SocketAddr {
        self.stack.gateway().proxy()
    }

    pub fn log(&self) -> String {
        self.stack.gateway().log()
    }

    /// Where the gateway tells about itself.
    pub fn status(&self) -> SocketAddr {
        self.stack.gateway().status().unwrap()
    }

    /// Starts the gateway's workers anew.
    pub fn restart_workers(&self) -> anyhow::Result<()> {
        self.stack.gateway().restart_workers()
    }

    /// Ids of the processes that serve; none where that is this one.
    pub fn processes(&self) -> Vec<u32> {
        self.stack.gateway().processes()
    }

    /// Memory that is each serving process's own, in kilobytes, without files that it maps (Kong's LMDB) and memory that
    /// it shares; none where that process is this one.
    pub fn memory(&self) -> Vec<u64> {
        let of = |process: u32| {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        self.processes().into_iter().map(of).collect()
    }

    /// The config that the gateway reads, with keys and places in it.
    pub fn config(&self) -> String {
        std::fs::read_to_string(self.stack.config()).unwrap()
    }

    /// Sends bytes, and tells what became of them at both ends.
    pub fn ask(&self, request: &[u8]) -> Outcome {
        http::ask(&self.stack, request, gateway::request_id_header()).unwrap()
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

    /// Until another fault is set, or none: then it is back.
    pub fn take_upstream_down(&self) {
        self.upstream().set_fault(Fault::Down);
        self.wait_until("what was open is closed", || self.upstream().counts().open == 0);
    }

    /// Lets the upstream offer other TLS on the connections to come.
    pub fn upstream_tls(&self, change: impl FnOnce(&mut Tls)) {
        let mut tls = self.stack.dogcatcher_tls();
        change(&mut tls);
        self.stack.dogcatcher().set_tls(&tls).unwrap();
    }

    /// Another policy for the same route.
    pub fn reconfigure(&self, policy: &str) -> anyhow::Result<()> {
        self.stack.reconfigure(&with_policy(policy, self.routes))
    }

    /// Another whole config.
    pub fn reconfigure_to(&self, config: &str) -> anyhow::Result<()> {
        self.stack.reconfigure(config)
    }

    /// One more upstream, as the first one is.
    pub fn another_upstream(&self) -> Dogcatcher {
        let mtls = Some((ANY_PORT, self.stack.dogcatcher_tls()));
        Dogcatcher::start(&dogcatcher::Options { mtls, ..Default::default() }).unwrap()
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

    /// Puts a pipe in the place of a client certificate, into which nobody writes.
    pub fn put_pipe(&self, name: &str) {
        let place = self.stack.directory().join("secrets").join(name).join("tls.crt");
        std::fs::remove_file(&place).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    }

    /// Replaces a client certificate by a new one with a new key.
    pub fn replace(&self, name: &str, change: impl FnOnce(Leaf) -> Leaf) {
        self.put_in_place(name, &self.authority().issue(&change(Leaf::client(name))).unwrap());
    }

    /// Likewise, with its fingerprint told before it is in place.
    pub fn replace_known(&self, name: &str, tell: impl FnOnce(String)) {
        let issued = self.authority().issue(&Leaf::client(name)).unwrap();
        tell(issued.fingerprint());
        self.put_in_place(name, &issued);
    }

    fn put_in_place(&self, name: &str, issued: &Issued) {
        self.replaced.lock().unwrap().insert(name.to_owned(), issued.fingerprint());
        self.stack.rotate(name, issued).unwrap();
    }

    /// The fingerprint of the certificate that was put in place last, or is presented since the beginning.
    pub fn fingerprint(&self, name: &str) -> String {
        if let Some(fingerprint) = self.replaced.lock().unwrap().get(name) {
            return fingerprint.clone();
        }
        self.stack.fingerprint(name).unwrap()
    }

    /// Puts lists of what is revoked where [`REVOCATIONS`](harness::stack::REVOCATIONS) is.
    pub fn put_revocations(&self, lists: &str) {
        self.stack.put_revocations(lists).unwrap();
    }

    /// Puts a client certificate and trust anchors in place together.
    pub fn put_with_trust(&self, name: &str, issued: &Issued, anchors: &str) {
        self.stack.put(name, &issued.chain_pem(), &issued.key().pem(), anchors).unwrap();
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

    /// Asks until it is so in every worker of the gateway. They are asked by several at once: those that ask in turn may
    /// all be answered by the worker that has just become idle.
    pub fn wait_until_everywhere(&self, what: &str, so: impl Fn() -> bool + Sync) {
        self.wait_until(what, || {
            thread::scope(|scope| {
                let askers: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..5).all(|_| so()))).collect();
                askers.into_iter().all(|asker| asker.join().unwrap())
            })
        });
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

    /// `None`: the answer broke off, or there was none.
    pub fn try_send(self) -> Option<Seen> {
        Seen::try_of(self.http.send().ok()?)
    }

    pub fn bytes(self) -> Vec<u8> {
        self.http.send().unwrap().bytes().unwrap().to_vec()
    }
}

/// Valid for a few seconds from now.
pub fn seconds_from_now(seconds: i64) -> Validity {
    Validity::lasting(time::Duration::seconds(seconds)).unwrap()
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

/// reqwest takes the process' TLS provider; somebody has to choose it.
fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
}
