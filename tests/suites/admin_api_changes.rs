//! Changes through Kong's Admin API while requests flow: a route that has a policy admits no request without a key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use harness::gateway::Ability;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tests::config::upstream_mtls;
use tests::{Done, Setting, digest, needs, raw, tests};

tests![
    a_new_route_is_closed_after_an_invalid_policy_elsewhere,
    an_invalid_policy_affects_its_own_route_only,
    an_empty_consumer_list_revokes_all_keys,
    an_empty_consumer_list_revokes_all_keys_through_the_admin_api,
    random_changes_admit_no_request_without_a_key,
];

const NODES: usize = 2;

// ---------------------------------------------------------------------------------------------------------------------
// What was seen

/// A route that was free and gets a policy, right after another route's policy was patched to an invalid one.
fn a_new_route_is_closed_after_an_invalid_policy_elsewhere() {
    let kong = Cluster::start();
    let victim = kong.protected_route("victim");
    kong.setting.await_changes();
    // Every worker has looked up which routes have a policy.
    kong.assert_everywhere("/base", None, &[200]);
    kong.assert_everywhere("/victim", None, &[401]);
    kong.patch_invalid(&victim);

    let fresh = kong.protected_route("fresh");
    kong.setting.await_changes();
    let passed = kong.keyless_passes("/fresh", 200);
    assert_eq!(passed, 0, "of 200 requests without a key");
    // Closed for those with a key would be an answer to the invalid policy, too, but the wrong one.
    kong.assert_everywhere("/fresh", Some(&fresh.key), &[200]);
    kong.assert_everywhere("/fresh", None, &[401]);
}

fn an_invalid_policy_affects_its_own_route_only() {
    let kong = Cluster::start();
    let victim = kong.protected_route("victim");
    let other = kong.protected_route("other");
    let dropped = kong.protected_route("dropped");
    kong.setting.await_changes();
    kong.assert_everywhere("/other", Some(&other.key), &[200]);
    let is_rejected = kong.patch_invalid(&victim);

    // A revoked key stops working elsewhere.
    let body = json!({ "config": policy("a-new-key") });
    assert_eq!(kong.setting.admin("PATCH", &other.plugin_path(), Some(&body)).0, 200);
    // A deleted plugin stops deciding.
    assert_eq!(kong.setting.admin("DELETE", &dropped.plugin_path(), None).0, 204);
    // A new route works.
    let fresh = kong.protected_route("fresh");
    kong.setting.await_changes();
    kong.assert_everywhere("/other", Some(&other.key), &[401]);
    kong.assert_everywhere("/other", Some("a-new-key"), &[200]);
    kong.assert_everywhere("/dropped", None, &[200]);
    kong.assert_everywhere("/fresh", Some(&fresh.key), &[200]);
    kong.assert_everywhere("/fresh", None, &[401]);

    // The route itself keeps its policy where the invalid one was rejected, and is closed where it was accepted.
    let (keyless, keyed) = if is_rejected { (401, 200) } else { (503, 503) };
    kong.assert_everywhere("/victim", None, &[keyless]);
    kong.assert_everywhere("/victim", Some(&victim.key), &[keyed]);

    // Repaired, it is served again.
    let body = json!({ "config": policy(&victim.key) });
    assert_eq!(kong.setting.admin("PATCH", &victim.plugin_path(), Some(&body)).0, 200);
    kong.setting.await_changes();
    kong.assert_everywhere("/victim", None, &[401]);
    kong.assert_everywhere("/victim", Some(&victim.key), &[200]);
}

/// By `POST /config` or what else replaces a configuration, and by the file that a gateway starts with.
fn an_empty_consumer_list_revokes_all_keys() {
    let is_closed = |setting: &Setting| {
        for _ in 0..20 {
            for headers in [vec![], vec![("X-API-Key", setting.key("model-citizen"))]] {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let status = raw::get(setting.proxy(), "/dogs/anything", &headers).status;
                assert_eq!(status, 401, "{headers:?}");
            }
        }
        assert_eq!(setting.requests_upstream(), 0);
    };
    let empty = "consumers: []\nclient_certificate: kong-client";
    is_closed(&Setting::new(empty));

    let setting = Setting::new("client_certificate: kong-client");
    setting.reconfigure(empty).unwrap();
    is_closed(&setting);
}

fn an_empty_consumer_list_revokes_all_keys_through_the_admin_api() {
    let kong = Cluster::start();
    let route = kong.protected_route("dogs");
    kong.setting.await_changes();
    kong.assert_everywhere("/dogs", Some(&route.key), &[200]);
    let mut emptied = policy(&route.key);
    emptied["consumers"] = json!([]);
    let body = json!({ "config": emptied });
    let (status, answer) = kong.setting.admin("PATCH", &route.plugin_path(), Some(&body));
    assert_eq!(status, 200, "{answer}");
    kong.setting.await_changes();
    kong.assert_everywhere("/dogs", Some(&route.key), &[401]);
    kong.assert_everywhere("/dogs", None, &[401]);

    // Nor does it freeze anything else.
    let fresh = kong.protected_route("fresh");
    kong.setting.await_changes();
    kong.assert_everywhere("/fresh", Some(&fresh.key), &[200]);
}

/// Two nodes with one service, whose upstream-mtls has a default certificate: a route of it that is not closed is served.
struct Cluster {
    setting: Setting,
}

/// A route with a policy.
struct Protected {
    plugin: String,
    key: String,
}

impl Protected {
    fn plugin_path(&self) -> String {
        format!("/plugins/{}", self.plugin)
    }
}

impl Cluster {
    fn start() -> Self {
        needs(Ability::SharesDatabase);
        Self { setting: Setting::on_nodes(NODES, &base()) }
    }

    fn protected_route(&self, name: &str) -> Protected {
        let route = json!({ "service": { "name": BASE }, "paths": [format!("/{name}")] });
        let (status, answer) = self.setting.admin("PUT", &format!("/routes/{name}"), Some(&route));
        assert_eq!(status, 200, "{answer}");
        let key = format!("key-of-{name}");
        let plugin = json!({ "name": "mtls-policy", "config": policy(&key) });
        let (status, answer) = self.setting.admin("POST", &format!("/routes/{name}/plugins"), Some(&plugin));
        assert_eq!(status, 201, "{answer}");
        Protected { plugin: answer["id"].as_str().unwrap().to_owned(), key }
    }

    /// Returns whether Kong rejects it.
    fn patch_invalid(&self, route: &Protected) -> bool {
        let body = json!({ "config": invalid(&route.key) });
        let (status, answer) = self.setting.admin("PATCH", &route.plugin_path(), Some(&body));
        match status {
            400 => {
                assert!(answer.to_string().contains("nix"), "{answer}");
                true
            }
            200 => false,
            _ => panic!("{status}: {answer}"),
        }
    }

    /// Of a number of requests without a key to each node, how many the upstream answered.
    fn keyless_passes(&self, path: &str, requests: usize) -> usize {
        let passes = |proxy: &SocketAddr| {
            (0..requests).filter(|_| raw::get(*proxy, &format!("{path}/anything"), &[]).status == 200).count()
        };
        self.setting.proxies().iter().map(passes).sum()
    }

    /// Each of a number of requests on connections of their own, so that every worker answers some.
    fn assert_everywhere(&self, path: &str, key: Option<&str>, expected: &[u16]) {
        for proxy in self.setting.proxies() {
            let mut seen = BTreeMap::new();
            for _ in 0..30 {
                let headers: Vec<_> = key.iter().map(|key| ("X-API-Key", *key)).collect();
                *seen.entry(raw::get(proxy, &format!("{path}/anything"), &headers).status).or_insert(0) += 1;
            }
            let is_right = seen.keys().all(|status| expected.contains(status));
            assert!(is_right, "{path} with the key {key:?}: expected {expected:?}, got {seen:?} at {proxy}");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Random changes

/// `HARNESS_CHANGES_SECONDS` asks for more than the usual number of seconds, `HARNESS_SEED` for the changes of an earlier
/// run.
fn random_changes_admit_no_request_without_a_key() {
    needs(Ability::SharesDatabase);
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seconds = number("HARNESS_CHANGES_SECONDS").unwrap_or(20);
    let seed = number("HARNESS_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("HARNESS_SEED={seed}");
    let setting = Setting::on_nodes(NODES, &base());
    let world = World::new(&setting, seed);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for proxy in setting.proxies() {
            for number in 0..2 {
                let (world, done) = (&world, &done);
                scope.spawn(move || world.send_requests(proxy, seed ^ number, done));
            }
        }
        let _done = Done(&done);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            world.change();
        }
    });
    world.report();
    assert!(!setting.log().contains("exited on signal"), "a worker has ended");
}

/// The state of one slot: a service with a route, which has a policy or none.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// No service, or one that is disabled, or no route.
    Absent,
    /// A route without a policy.
    Free,
    /// With a policy for this key.
    Keyed(String),
    /// With a policy that has no consumers.
    Empty,
    /// With an invalid policy that Kong accepted.
    Closed,
}

impl State {
    /// The statuses that a request may be answered with.
    fn answers(&self, key: Option<&str>) -> &'static [u16] {
        match self {
            Self::Absent => &[404],
            Self::Free => &[200],
            Self::Keyed(own) if key == Some(own) => &[200],
            Self::Keyed(_) | Self::Empty => &[401],
            Self::Closed => &[503],
        }
    }

    fn is_protected(&self) -> bool {
        matches!(self, Self::Keyed(_) | Self::Empty | Self::Closed)
    }
}

/// A service with a route, and what the Admin API was told of them.
struct Slot {
    number: usize,
    /// Whether the policy belongs to the service, and not to the route.
    of_service: bool,
    has_route: bool,
    is_enabled: bool,
    policy: Policy,
    /// Keys that it had once.
    revoked: Vec<String>,
    /// Which states are possible now: one, unless a change is under way.
    possible: Vec<State>,
    /// Counts the times when `possible` became one again.
    settled: u64,
    /// When that was after the last change.
    settled_at: Instant,
    /// Counts changes.
    changes: u64,
    /// Whether every worker of every node has had its plugins since the last change, so that key-auth would be in effect.
    plugins_are_current: bool,
    /// When the Admin API acknowledged the last change that protects it, until that has settled.
    protected_since: Option<Instant>,
    /// The last changes, for messages.
    history: Vec<String>,
}

/// The plugin of a slot.
#[derive(Clone, Debug, PartialEq)]
enum Policy {
    Missing,
    Present { id: String, config: State, is_enabled: bool },
}

impl Slot {
    fn service(&self) -> String {
        format!("/services/slot-{}", self.number)
    }

    fn route(&self) -> String {
        format!("/routes/slot-{}", self.number)
    }

    fn state(&self) -> State {
        if self.has_route && self.is_enabled { self.state_of_policy() } else { State::Absent }
    }

    /// The state of a route whose worker knows of the policy, whatever it knows of the route.
    fn state_of_policy(&self) -> State {
        match &self.policy {
            Policy::Present { config, is_enabled: true, .. } => config.clone(),
            Policy::Present { .. } | Policy::Missing => State::Free,
        }
    }
}

/// Requests and changes, and what is known of them.
struct World<'s> {
    setting: &'s Setting,
    /// What a service is created with: its URL and the config of its plugin upstream-mtls.
    url: String,
    upstream_mtls: Value,
    slots: Vec<Mutex<Slot>>,
    /// Routes with key-auth, one for each slot, protected when the slot is.
    twins: Vec<Mutex<Twin>>,
    random: Mutex<fastrand::Rng>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Twin {
    is_protected: bool,
    protected_since: Option<Instant>,
}

#[derive(Default)]
struct Counts {
    changes: BTreeMap<&'static str, u64>,
    requests: u64,
    rejections: u64,
    passes: u64,
    /// Answers while a change was under way, for which more than one state is possible.
    during_changes: u64,
    /// Requests that were answered with 503 although they may pass, shortly after all workers had taken the change over:
    /// upstream-mtls loads the certificates of a new service after that.
    opened_late: u64,
    /// Requests without a key that passed where every worker had the policy's plugins, or where none was ever free.
    keyless_passes: u64,
    wrong: u64,
    /// The first of them, in words.
    examples: Vec<String>,
    settles: u64,
    longest_settle: Duration,
    /// The latest pass of a request without a key that began after the acknowledgment of the policy, or of key-auth.
    latest_pass: Duration,
    latest_pass_of_twin: Duration,
    twin_keyless_passes: u64,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const SLOTS: usize = 6;

/// How long after a change a route may still be closed to those who may pass.
const OPENING: Duration = Duration::from_secs(2);

impl<'s> World<'s> {
    fn new(setting: &'s Setting, seed: u64) -> Self {
        let (_, service) = setting.admin("GET", &format!("/services/{BASE}"), None);
        let (_, plugins) = setting.admin("GET", &format!("/services/{BASE}/plugins"), None);
        let url = format!(
            "{}://{}:{}",
            service["protocol"].as_str().unwrap(),
            service["host"].as_str().unwrap(),
            service["port"]
        );
        let slot = |number| {
            Mutex::new(Slot {
                number,
                of_service: false,
                has_route: false,
                is_enabled: true,
                policy: Policy::Missing,
                revoked: vec!["nobody's".to_owned()],
                possible: vec![State::Absent],
                settled: 0,
                settled_at: Instant::now(),
                changes: 0,
                plugins_are_current: true,
                protected_since: None,
                history: Vec::new(),
            })
        };
        for number in 0..SLOTS {
            let route = json!({ "service": { "name": BASE }, "paths": [format!("/twin-{number}")] });
            assert_eq!(setting.admin("PUT", &format!("/routes/twin-{number}"), Some(&route)).0, 200);
        }
        setting.await_changes();
        Self {
            setting,
            url,
            upstream_mtls: plugins["data"][0]["config"].clone(),
            slots: (0..SLOTS).map(slot).collect(),
            twins: (0..SLOTS).map(|_| Mutex::default()).collect(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            counts: Mutex::default(),
        }
    }

    /// Makes some changes, and waits until all workers have taken them over.
    fn change(&self) {
        let burst = lock(&self.random).usize(1..=4);
        for _ in 0..burst {
            let slot = lock(&self.random).usize(0..SLOTS);
            self.change_slot(slot);
        }
        let began = Instant::now();
        self.setting.await_changes_and(|| {
            for slot in &self.slots {
                lock(slot).plugins_are_current = true;
            }
        });
        let took = began.elapsed();
        for slot in &self.slots {
            let mut slot = lock(slot);
            if slot.possible.len() > 1 {
                slot.settled_at = Instant::now();
            }
            slot.possible = vec![slot.state()];
            slot.settled += 1;
            slot.protected_since = None;
        }
        for twin in &self.twins {
            lock(twin).protected_since = None;
        }
        let mut counts = lock(&self.counts);
        counts.settles += 1;
        counts.longest_settle = counts.longest_settle.max(took);
    }

    fn change_slot(&self, number: usize) {
        let (has_route, policy) = {
            let slot = lock(&self.slots[number]);
            (slot.has_route, slot.policy.clone())
        };
        let choice = lock(&self.random).usize(0..100);
        match (has_route, policy) {
            (false, _) => self.create(number),
            (true, Policy::Missing) if choice < 80 => self.add_policy(number),
            (true, Policy::Missing) => self.delete_all(number),
            (true, Policy::Present { id, is_enabled, .. }) => match choice {
                0..25 => self.patch_valid(number, &id),
                25..40 => self.patch_invalid(number, &id),
                40..50 => self.patch_empty(number, &id),
                50..60 => self.enable(number, &id, !is_enabled),
                60..70 => self.delete_policy(number, &id),
                70..80 => self.move_policy(number, &id),
                80..85 => self.touch_route(number),
                85..92 => self.enable_service(number),
                _ => self.delete_all(number),
            },
        }
        self.change_twin(number);
    }

    /// Creates service and route, and most times the policy.
    fn create(&self, number: usize) {
        let (service, route) = {
            let mut slot = lock(&self.slots[number]);
            slot.of_service = lock(&self.random).bool();
            (slot.service(), slot.route())
        };
        self.expect("create service", 200, "PUT", &service, Some(json!({ "url": self.url })));
        let plugin = json!({ "name": "upstream-mtls", "config": self.upstream_mtls });
        self.expect("create plugin", 201, "POST", &format!("{service}/plugins"), Some(plugin));
        // Of a service that has a policy, no route is ever free.
        let policy_first = lock(&self.slots[number]).of_service && lock(&self.random).bool();
        if policy_first {
            self.add_policy(number);
        }
        self.begin(number, "create route", |slot| {
            slot.has_route = true;
            slot.is_enabled = true;
        });
        let body = json!({
            "service": { "name": format!("slot-{number}") },
            "paths": [format!("/slot-{number}")],
        });
        self.expect("create route", 200, "PUT", &route, Some(body));
        self.acknowledge(number);
        if !policy_first && lock(&self.random).u8(0..5) > 0 {
            self.add_policy(number);
        }
    }

    fn add_policy(&self, number: usize) {
        let id = uuid(&mut lock(&self.random));
        self.put_policy("create policy", number, &id);
    }

    fn put_policy(&self, what: &'static str, number: usize, id: &str) {
        let key = self.new_key();
        let scope = {
            let slot = lock(&self.slots[number]);
            let name = format!("slot-{number}");
            if slot.of_service {
                json!({ "service": { "name": name } })
            } else {
                json!({ "route": { "name": name } })
            }
        };
        let mut body = json!({ "name": "mtls-policy", "config": policy(&key) });
        body.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
        self.begin(number, what, |slot| {
            slot.policy =
                Policy::Present { id: id.to_owned(), config: State::Keyed(key.clone()), is_enabled: true };
        });
        self.expect(what, 200, "PUT", &format!("/plugins/{id}"), Some(body));
        self.acknowledge(number);
    }

    fn patch_valid(&self, number: usize, id: &str) {
        let key = self.new_key();
        let mut config = policy(&key);
        // Lists that are empty and may be.
        if lock(&self.random).bool() {
            config["rules"] = json!([]);
            config["consumers"][0]["groups"] = json!([]);
        }
        self.begin(number, "patch policy", |slot| slot.set_config(State::Keyed(key.clone())));
        self.expect(
            "patch policy",
            200,
            "PATCH",
            &format!("/plugins/{id}"),
            Some(json!({ "config": config })),
        );
        self.acknowledge(number);
    }

    fn patch_empty(&self, number: usize, id: &str) {
        let mut config = policy("any");
        config["consumers"] = json!([]);
        self.begin(number, "empty consumers", |slot| slot.set_config(State::Empty));
        self.expect(
            "empty consumers",
            200,
            "PATCH",
            &format!("/plugins/{id}"),
            Some(json!({ "config": config })),
        );
        self.acknowledge(number);
    }

    /// Kong rejects it, or accepts it and the route is closed.
    fn patch_invalid(&self, number: usize, id: &str) {
        let before = lock(&self.slots[number]).policy.clone();
        self.begin(number, "patch to invalid", |slot| slot.set_config(State::Closed));
        let body = json!({ "config": invalid(&self.new_key()) });
        let (status, answer) = self.setting.admin("PATCH", &format!("/plugins/{id}"), Some(&body));
        match status {
            200 => self.count("patch to invalid, accepted"),
            400 => {
                self.count("patch to invalid, rejected");
                lock(&self.slots[number]).policy = before;
            }
            _ => panic!("{status}: {answer}"),
        }
        self.acknowledge(number);
    }

    fn enable(&self, number: usize, id: &str, enable: bool) {
        let what = if enable { "enable policy" } else { "disable policy" };
        self.begin(number, what, |slot| {
            if let Policy::Present { is_enabled, .. } = &mut slot.policy {
                *is_enabled = enable;
            }
        });
        self.expect(what, 200, "PATCH", &format!("/plugins/{id}"), Some(json!({ "enabled": enable })));
        self.acknowledge(number);
    }

    fn delete_policy(&self, number: usize, id: &str) {
        self.begin(number, "delete policy", |slot| slot.policy = Policy::Missing);
        self.expect("delete policy", 204, "DELETE", &format!("/plugins/{id}"), None);
        self.acknowledge(number);
        // Restored under its id, at once or never.
        if lock(&self.random).bool() {
            self.put_policy("restore policy", number, id);
        }
    }

    /// Deletes the plugin, and creates one of the same id on another route.
    fn move_policy(&self, number: usize, id: &str) {
        self.delete_policy_for_move(number, id);
        let free = (0..SLOTS).find(|other| {
            let slot = lock(&self.slots[*other]);
            *other != number && slot.has_route && slot.policy == Policy::Missing
        });
        if let Some(other) = free {
            self.put_policy("move policy", other, id);
            self.change_twin(other);
        }
    }

    fn delete_policy_for_move(&self, number: usize, id: &str) {
        self.begin(number, "move policy away", |slot| slot.policy = Policy::Missing);
        self.expect("move policy away", 204, "DELETE", &format!("/plugins/{id}"), None);
        self.acknowledge(number);
    }

    /// A change of the route that changes nothing for its requests.
    fn touch_route(&self, number: usize) {
        let body = json!({ "tags": [format!("t{}", lock(&self.random).u32(..))] });
        self.begin(number, "update route", |_| {});
        self.expect("update route", 200, "PATCH", &format!("/routes/slot-{number}"), Some(body));
        self.acknowledge(number);
    }

    fn enable_service(&self, number: usize) {
        let enable = !lock(&self.slots[number]).is_enabled;
        let what = if enable { "enable service" } else { "disable service" };
        self.begin(number, what, |slot| slot.is_enabled = enable);
        let path = format!("/services/slot-{number}");
        self.expect(what, 200, "PATCH", &path, Some(json!({ "enabled": enable })));
        self.acknowledge(number);
    }

    /// The route first, as Kong demands it; its plugin goes with it.
    fn delete_all(&self, number: usize) {
        self.begin(number, "delete route and service", |slot| {
            slot.has_route = false;
            slot.policy = Policy::Missing;
        });
        self.expect("delete route", 204, "DELETE", &format!("/routes/slot-{number}"), None);
        self.expect("delete service", 204, "DELETE", &format!("/services/slot-{number}"), None);
        self.acknowledge(number);
    }

    /// Key-auth on the twin's route, when its slot is protected; with its consumer's key made anew each time.
    fn change_twin(&self, number: usize) {
        let protect = lock(&self.slots[number]).state().is_protected();
        if lock(&self.twins[number]).is_protected == protect {
            return;
        }
        let path = format!("/plugins/7c1e0000-0000-4000-8000-00000000010{number}");
        let consumer = format!("twin-{number}");
        if protect {
            let body = json!({
                "name": "key-auth",
                "route": { "name": format!("twin-{number}") },
                "config": { "key_names": ["X-API-Key"] },
            });
            self.expect("create key-auth", 200, "PUT", &path, Some(body));
            *lock(&self.twins[number]) = Twin { is_protected: true, protected_since: Some(Instant::now()) };
            self.expect("create consumer", 200, "PUT", &format!("/consumers/{consumer}"), Some(json!({})));
            let key = json!({ "key": format!("key-of-{consumer}-{}", lock(&self.random).u64(..)) });
            self.expect("create key", 201, "POST", &format!("/consumers/{consumer}/key-auth"), Some(key));
        } else {
            // Before the request: it takes effect before it is answered.
            *lock(&self.twins[number]) = Twin::default();
            self.expect("delete key-auth", 204, "DELETE", &path, None);
            self.expect("delete consumer", 204, "DELETE", &format!("/consumers/{consumer}"), None);
        }
    }

    /// From now on the state of before and that of after the change are possible.
    fn begin(&self, number: usize, what: &str, change: impl FnOnce(&mut Slot)) {
        let mut slot = lock(&self.slots[number]);
        if let State::Keyed(key) = slot.state() {
            slot.revoked.push(key);
        }
        // A worker takes over routes, plugins and filter chains one by one.
        let before = slot.state_of_policy();
        change(&mut slot);
        let after = slot.state_of_policy();
        let state = slot.state();
        slot.possible.extend([before, after, state.clone()]);
        slot.changes += 1;
        slot.plugins_are_current = false;
        let revoked = slot.revoked.len().saturating_sub(3);
        slot.revoked.drain(..revoked);
        if let State::Keyed(key) = &state {
            slot.revoked.retain(|revoked| revoked != key);
        }
        slot.history.push(format!("{what}: {state:?}"));
        let old = slot.history.len().saturating_sub(8);
        slot.history.drain(..old);
    }

    /// The Admin API has acknowledged the change.
    fn acknowledge(&self, number: usize) {
        let mut slot = lock(&self.slots[number]);
        let state = slot.state();
        if !slot.possible.contains(&state) {
            slot.possible.push(state.clone());
        }
        slot.protected_since = match slot.protected_since {
            _ if !state.is_protected() => None,
            None => Some(Instant::now()),
            since => since,
        };
    }

    fn expect(&self, what: &'static str, status: u16, method: &str, path: &str, body: Option<Value>) {
        let (got, answer) = self.setting.admin(method, path, body.as_ref());
        assert_eq!(got, status, "{what}: {method} {path} {body:?}: {answer}");
        self.count(what);
    }

    fn count(&self, what: &'static str) {
        *lock(&self.counts).changes.entry(what).or_default() += 1;
    }

    fn new_key(&self) -> String {
        format!("key-{:016x}", lock(&self.random).u64(..))
    }

    /// Sends requests to a node, with and without keys, and judges what they are answered with.
    fn send_requests(&self, proxy: SocketAddr, seed: u64, done: &AtomicBool) {
        let mut random = fastrand::Rng::with_seed(seed);
        // Nobody ever sends: waiting for it is the pace.
        let (_pace, tick) = mpsc::channel::<()>();
        let mut client = new_client();
        let mut requests = 0_u64;
        while !done.load(Ordering::Relaxed) {
            requests += 1;
            if requests.is_multiple_of(20) {
                // On a new connection, which another worker may have.
                client = new_client();
            }
            let number = random.usize(0..SLOTS);
            if random.bool() {
                self.request_twin(&client, proxy, number);
            } else {
                self.request_slot(&client, proxy, number, &mut random);
            }
            let _ = tick.recv_timeout(Duration::from_millis(4));
        }
    }

    fn request_slot(&self, client: &Client, proxy: SocketAddr, number: usize, random: &mut fastrand::Rng) {
        let (key, before) = {
            let slot = lock(&self.slots[number]);
            let current = match slot.possible.last() {
                Some(State::Keyed(key)) => Some(key.clone()),
                _ => None,
            };
            let key = match random.u8(0..3) {
                0 => None,
                1 => current.or_else(|| Some("nobody's".to_owned())),
                _ => random.choice(&slot.revoked).cloned().or_else(|| Some("nobody's".to_owned())),
            };
            (key, Snapshot::of(&slot))
        };
        let began = Instant::now();
        let Some((status, message)) = send(client, proxy, &format!("/slot-{number}"), key.as_deref()) else {
            return self.complain(number, proxy, "no answer", key.as_deref(), &before.possible);
        };
        let (after, history) = {
            let slot = lock(&self.slots[number]);
            (Snapshot::of(&slot), slot.history.clone())
        };
        // So long a request that nothing can be said about it.
        if after.settled > before.settled + 1 {
            return;
        }
        let mut all_possible = before.possible;
        all_possible.extend(after.possible);
        all_possible.dedup();
        let is_settled = all_possible.iter().all(|state| *state == all_possible[0]);
        let expected: Vec<_> =
            all_possible.iter().flat_map(|state| state.answers(key.as_deref())).copied().collect();
        // While a change is under way, a route may be closed for a moment, as long as filters are not there yet (503), or
        // have lost its client certificate before it is gone itself (502).
        let mut is_right = expected.contains(&status) || (!is_settled && matches!(status, 502 | 503));
        // Kong's worker may take its router over a moment after its plugins: the route is not there yet, or still there.
        let opens_late = is_settled
            && (status == 404
                || status == 401 && expected.contains(&404)
                || status == 503 && expected.iter().all(|status| *status == 200))
            && began < before.settled_at + OPENING;
        is_right |= opens_late;
        // Where key-auth would be in effect, the policy has to be.
        let is_closed = before.plugins_are_current && before.changes == after.changes;
        let may_pass = match is_closed {
            true => !before.is_protected,
            false => all_possible.iter().any(|state| !state.is_protected()),
        };
        let mut counts = lock(&self.counts);
        counts.requests += 1;
        match status {
            200 => counts.passes += 1,
            _ => counts.rejections += 1,
        }
        counts.during_changes += u64::from(!is_settled);
        counts.opened_late += u64::from(opens_late);
        if key.is_none() && status == 200 {
            if !may_pass {
                counts.keyless_passes += 1;
                is_right = false;
            }
            if let Some(since) = before.protected_since
                && began > since
            {
                counts.latest_pass = counts.latest_pass.max(began - since);
            }
        }
        if !is_right {
            counts.wrong += 1;
            let key = key.map_or("no key".to_owned(), |key| format!("the key {key}"));
            let example = format!(
                "slot {number} at {proxy}: {status} {message:?} with {key}, expected {expected:?}; last changes: {history:#?}"
            );
            if counts.examples.len() < 5 {
                counts.examples.push(example);
            }
        }
    }

    fn request_twin(&self, client: &Client, proxy: SocketAddr, number: usize) {
        let (is_protected, since) = {
            let twin = lock(&self.twins[number]);
            (twin.is_protected, twin.protected_since)
        };
        let began = Instant::now();
        if is_protected
            && send(client, proxy, &format!("/twin-{number}"), None).is_some_and(|(status, _)| status == 200)
        {
            let still = lock(&self.twins[number]).is_protected;
            let mut counts = lock(&self.counts);
            match since {
                Some(since) => {
                    counts.latest_pass_of_twin = counts.latest_pass_of_twin.max(began - since);
                }
                None if still => counts.twin_keyless_passes += 1,
                None => {}
            }
        }
    }

    fn complain(&self, number: usize, proxy: SocketAddr, what: &str, key: Option<&str>, possible: &[State]) {
        let mut counts = lock(&self.counts);
        counts.wrong += 1;
        if counts.examples.len() < 5 {
            counts
                .examples
                .push(format!("slot {number} at {proxy}: {what} with the key {key:?} in {possible:?}"));
        }
    }

    fn report(&self) {
        let counts = lock(&self.counts);
        println!("changes: {}", counts.changes.values().sum::<u64>());
        for (what, number) in &counts.changes {
            println!("  {what}: {number}");
        }
        println!(
            "requests: {}, of them {} while a change was under way, {} closed for a moment longer\nrejections: {}\npasses: {}\nkeyless passes: {}\nwrong answers: {}",
            counts.requests,
            counts.during_changes,
            counts.opened_late,
            counts.rejections,
            counts.passes,
            counts.keyless_passes,
            counts.wrong
        );
        println!(
            "{} waits until all workers had taken changes over, the longest {:?}",
            counts.settles, counts.longest_settle
        );
        println!(
            "latest pass without a key after an acknowledgment: policy {:?}, key-auth {:?}",
            counts.latest_pass, counts.latest_pass_of_twin
        );
        assert_eq!(counts.keyless_passes, 0, "{}", counts.examples.join("\n"));
        assert_eq!(counts.wrong, 0, "{}", counts.examples.join("\n"));
        assert_eq!(counts.twin_keyless_passes, 0, "key-auth let requests pass after all workers had it");
        assert!(counts.requests > 100 && counts.settles > 3, "too little was tried");
    }
}

/// What is known of a slot when a request begins or ends.
struct Snapshot {
    possible: Vec<State>,
    is_protected: bool,
    settled: u64,
    changes: u64,
    plugins_are_current: bool,
    settled_at: Instant,
    protected_since: Option<Instant>,
}

impl Snapshot {
    fn of(slot: &Slot) -> Self {
        Self {
            possible: slot.possible.clone(),
            is_protected: slot.state().is_protected(),
            settled: slot.settled,
            changes: slot.changes,
            plugins_are_current: slot.plugins_are_current,
            settled_at: slot.settled_at,
            protected_since: slot.protected_since,
        }
    }
}

impl Slot {
    fn set_config(&mut self, to: State) {
        if let Policy::Present { config, .. } = &mut self.policy {
            *config = to;
        }
    }
}

fn new_client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

/// The status of the answer and the gateway's message in it; `None`: there was none.
fn send(client: &Client, proxy: SocketAddr, path: &str, key: Option<&str>) -> Option<(u16, String)> {
    let mut request = client.get(format!("http://{proxy}{path}/anything"));
    if let Some(key) = key {
        request = request.header("X-API-Key", key);
    }
    let answer = request.send().ok()?;
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().ok()?).unwrap_or_default();
    Some((status, body["message"].as_str().unwrap_or_default().to_owned()))
}

fn uuid(random: &mut fastrand::Rng) -> String {
    format!("7c1e0000-0000-4000-9000-{:012x}", random.u64(..) >> 16)
}

// ---------------------------------------------------------------------------------------------------------------------
// Configurations

/// A service whose routes are served with a default certificate, and one of them, `/base`.
fn base() -> String {
    format!(
        r#"_format_version: "3.0"
services:
- name: {BASE}
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes: [{{name: {BASE}, paths: [/base]}}]
"#,
        upstream_mtls("client_certificate: kong-client")
    )
}

const BASE: &str = "base";

/// A policy for one key.
fn policy(key: &str) -> Value {
    json!({
        "key_names": ["X-API-Key"],
        "hide_credentials": true,
        "client_certificate": "kong-client",
        "consumers": [{ "username": "ann", "keys": [{ "id": "1", "sha256": digest(key) }] }],
    })
}

/// One with a rule for a group that has no consumers.
fn invalid(key: &str) -> Value {
    let mut policy = policy(key);
    policy["rules"] = json!([{ "match": { "groups": ["nix"] }, "client_certificate": "kong-vet" }]);
    policy
}
