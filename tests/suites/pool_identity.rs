//! The identity that names a keepalive pool is in nothing that plugins and logs see, and no client names a pool.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use harness::dogcatcher::ClientCertificate;
use harness::gateway::Ability;
use harness::stack::ANY_PORT;
use serde_json::Value;
use tempfile::TempDir;
use tests::config::upstream_mtls;
use tests::http2::Connection;
use tests::recorder::Recorder;
use tests::{Setting, needs, raw, tests};

tests![
    host_set_by_a_plugin_names_no_pool,
    host_with_a_pool_separator_is_rejected,
    identities_are_right_without_pools,
    log_plugins_see_only_the_services_own_certificate,
    no_log_line_below_debug_has_a_pool_identity,
    plugins_see_only_the_services_own_certificate,
];

/// Requests of two identities, with retries and without, have been served and logged.
fn log_plugins_see_only_the_services_own_certificate() {
    let case = Case::new();
    case.warm_up();
    let identities = case.identities();
    let entries = case.log_entries();
    for (plugin, entries) in entries {
        for entry in &entries {
            let text = entry.to_string();
            assert_eq!(
                entry["service"]["client_certificate"]["id"],
                own_certificate(entry["service"]["name"].as_str().unwrap_or_default()),
                "{plugin}: {text}"
            );
            for identity in &identities {
                assert!(!text.contains(identity), "{plugin} logs the pool identity {identity}: {text}");
            }
        }
        let tries = |entry: &Value| entry["tries"].as_array().map_or(0, Vec::len);
        assert!(entries.iter().any(|entry| tries(entry) == 2), "{plugin}: no request was tried twice");
    }
}

fn plugins_see_only_the_services_own_certificate() {
    let case = Case::new();
    case.warm_up();
    let log = case.setting.log();
    let seen: Vec<_> = log.lines().filter_map(dump_of).collect();
    for phase in PHASES {
        for plugin in FUNCTIONS {
            let here = format!("{plugin}, {phase}");
            let mut services = seen.iter().filter(|(place, _)| *place == here).peekable();
            assert!(services.peek().is_some(), "{here} saw no service");
            for (_, service) in services {
                let name = service["name"].as_str().unwrap_or_default();
                assert_eq!(service["client_certificate"]["id"], own_certificate(name), "{here}: {service}");
            }
        }
    }
}

fn no_log_line_below_debug_has_a_pool_identity() {
    let case = Case::new();
    case.warm_up();
    let log = case.setting.log();
    for identity in case.identities() {
        for line in log.lines().filter(|line| !line.contains("[debug]")) {
            assert!(!line.contains(&identity), "a line of the log has the pool identity {identity}: {line}");
        }
    }
}

/// Where the upstream is called by the client's `Host`, on a route with plugins of this project and on one without.
fn host_with_a_pool_separator_is_rejected() {
    let case = Case::new();
    case.setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    case.warm_up();
    let mut hosts = case.pool_hosts();
    hosts.insert("localhost|x".to_owned());
    hosts.insert("|".to_owned());
    for route in ["/preserving", "/dogs-preserving"] {
        let before = case.setting.requests_upstream();
        for host in &hosts {
            for (how, status) in case.ask_with_host(route, host) {
                assert_eq!(status, Some(400), "{route}, {how}, {host}");
            }
        }
        let latest = case.setting.upstream().latest();
        assert_eq!(case.setting.requests_upstream(), before, "{route}: received {:?}", latest.last());
    }
    // Where it is not, the client's `Host` is of no importance.
    for route in ["/plain", "/dogs"] {
        for host in &hosts {
            let before = case.setting.requests_upstream();
            let asked = case.ask_with_host(route, host);
            let received = usize::try_from(case.setting.requests_upstream() - before).unwrap();
            let latest = case.setting.upstream().latest();
            for seen in latest.iter().rev().take(received) {
                let client = seen.connection.client.as_ref().and_then(|client| client.common_name.as_deref());
                let expected = (route == "/dogs").then_some("kong-client");
                assert_eq!(client, expected, "{route}, {host}: {asked:?}");
            }
        }
    }
}

/// The route has no plugin of this project, and its own plugins take the upstream's name from the client.
fn host_set_by_a_plugin_names_no_pool() {
    let case = Case::new();
    case.setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::Asked);
    case.warm_up();
    let hosts = case.pool_hosts();
    assert!(!hosts.is_empty(), "no pool is known");
    for route in ["/set-header", "/transformed"] {
        for host in &hosts {
            let answer = raw::get(case.setting.proxy(), &format!("{route}/anything"), &[("X-Host", host)]);
            assert_eq!(answer.seen_client(), None, "{route}, {host}: {answer:?}");
        }
        // The plugins do what they are expected to do.
        let answer =
            raw::get(case.setting.proxy(), &format!("{route}/anything"), &[("X-Host", "plain.example")]);
        assert!(answer.body.contains(r#"["host","plain.example"]"#), "{route}: {answer:?}");
    }
}

/// With active health checks, which present the certificate of the Upstream entity.
fn identities_are_right_without_pools() {
    needs(Ability::KongsOwn);
    let config = |port: u16, entity: &str, more: &str| {
        format!(
            r#"_format_version: "3.0"
{entity}upstreams:
- {{name: kennels, host_header: localhost, targets: [{{target: '127.0.0.1:{port}'}}], {more}}}
services:
- name: checked
  url: https://kennels
  plugins: [{0}]
  routes:
  - {{name: checked, paths: [/checked], plugins: [{POLICY}]}}
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{0}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{POLICY}]}}
"#,
            upstream_mtls("")
        )
    };
    let setting = Setting::up(&config(1, "", ""), &[("upstream_keepalive_pool_size", "0")]).unwrap();
    let entity = certificate_entity(&setting.issue("health-check"));
    let active = format!(
        "client_certificate: {{id: {ENTITY}}}, healthchecks: {{active: {{type: https, http_path: /health, \
         https_verify_certificate: false, healthy: {{interval: 0.2, successes: 1}}, \
         unhealthy: {{interval: 0.2, http_failures: 1, tcp_failures: 1, timeouts: 1}}}}}}"
    );
    let status = || setting.get("/checked/anything").key("ann").send().status;
    setting.reconfigure_to(&config(1, &entity, &active)).unwrap();
    setting.wait_until("the target is unhealthy", || status() == 503);
    setting.reconfigure_to(&config(setting.upstream().mtls().unwrap().port(), &entity, &active)).unwrap();
    setting.wait_until_everywhere("the target is healthy", || status() == 200);
    let mut connections = BTreeSet::new();
    for turn in 0..40 {
        let (who, expected) = [("ann", "kong-client"), ("vet", "kong-vet")][turn / 3 % 2];
        let route = ["/dogs", "/checked"][turn % 2];
        let seen = setting.get(&format!("{route}/anything")).key(who).send();
        assert_eq!((seen.status, seen.common_name()), (200, Some(expected)), "turn {turn}: {}", seen.text);
        connections.insert(seen.connection());
    }
    assert_eq!(connections.len(), 40, "a connection was used again");
    setting.take_upstream_down();
    setting.wait_until("the target is unhealthy again", || status() == 503);
}

/// A Kong with one worker, for pools are a worker's own, whose debug log has their names. Two log plugins and two
/// plugins that dump `ngx.ctx.service` in each phase are configured for all routes.
struct Case {
    setting: Setting,
    file: PathBuf,
    receiver: Recorder,
    _directory: TempDir,
}

impl Case {
    fn new() -> Self {
        needs(Ability::KongsOwn);
        let directory = tempfile::Builder::new().prefix("file-log-").tempdir().unwrap();
        let file = directory.path().join("entries");
        let receiver = Recorder::start("{}");
        let settings = [("nginx_worker_processes", "1"), ("log_level", "debug"), ("untrusted_lua", "on")];
        // Bound, so that no other program gets it, and not listening.
        let closed = TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap().port();
        let setting = Setting::up(&config(&file, receiver.port(), [closed, 1], None), &settings).unwrap();
        let targets = [closed, setting.upstream().mtls().unwrap().port()];
        let pair = setting.issue("service");
        setting.reconfigure_to(&config(&file, receiver.port(), targets, Some(&pair))).unwrap();
        Self { setting, file, receiver, _directory: directory }
    }

    /// Each identity has an idle connection, and both log plugins have written their entries.
    fn warm_up(&self) {
        let rows = [
            ("/dogs", "ann", "kong-client"),
            ("/dogs", "vet", "kong-vet"),
            ("/own", "ann", "kong-client"),
            ("/own", "vet", "kong-vet"),
            ("/default", "", "service"),
            ("/retried", "ann", "kong-client"),
            ("/retried", "vet", "kong-vet"),
        ];
        for (route, who, expected) in rows {
            // The balancer takes turns at the two targets of `/retried`.
            for _ in 0..3 {
                let request = self.setting.get(&format!("{route}/anything"));
                let seen = if who.is_empty() { request.send() } else { request.key(who).send() };
                assert_eq!(
                    (seen.status, seen.common_name()),
                    (200, Some(expected)),
                    "{route}: {}",
                    seen.text
                );
            }
        }
        let count = rows.len() * 3;
        self.setting.wait_until("all entries are logged", || {
            self.log_entries().iter().all(|(_, entries)| entries.len() >= count)
        });
    }

    /// Asks with the key of `ann` and any `Host`, in each way there is: how, and the status.
    fn ask_with_host(&self, route: &str, host: &str) -> Vec<(String, Option<u16>)> {
        let (proxy, key) = (self.setting.proxy(), self.setting.key("ann"));
        let path = format!("{route}/anything");
        let mut asked = Vec::new();
        for target in [path.clone(), format!("http://{host}{path}")] {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n"
            );
            let status = raw::send(proxy, request.as_bytes()).status;
            asked.push((format!("HTTP/1.1, {target}"), Some(status)));
        }
        for name in [":authority", "host"] {
            let mut connection = Connection::open(proxy);
            let fields: [(&[u8], &[u8]); 5] = [
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":path", path.as_bytes()),
                (name.as_bytes(), host.as_bytes()),
                (b"x-api-key", key.as_bytes()),
            ];
            connection.headers(1, &fields, true);
            asked.push((format!("HTTP/2, {name}"), connection.status(1)));
        }
        asked
    }

    /// By the name of the log plugin.
    fn log_entries(&self) -> [(&'static str, Vec<Value>); 2] {
        let parse = |text: &str| serde_json::from_str(text).ok();
        let file = fs::read_to_string(&self.file).unwrap_or_default();
        let posted = self.receiver.requests();
        [
            ("file-log", file.lines().filter_map(parse).collect()),
            ("http-log", posted.iter().filter_map(|request| parse(&request.body)).collect()),
        ]
    }

    /// Names of the pools of connections that present a certificate, by the debug log.
    fn pools(&self) -> BTreeSet<String> {
        let log = self.setting.log();
        let names =
            log.lines().filter_map(|line| line.split_once("keepalive (pool=")?.1.split_once(", pool_size"));
        names.map(|(name, _)| name.to_owned()).filter(|name| name.split('|').count() > 3).collect()
    }

    /// What in their names is neither address, port nor the upstream's name.
    fn identities(&self) -> BTreeSet<String> {
        let identities: BTreeSet<_> =
            self.pools().iter().filter_map(|name| name.rsplit('|').next().map(str::to_owned)).collect();
        assert!(identities.len() >= 2, "too few pool identities are known: {identities:?}");
        identities.into_iter().filter(|identity| *identity != ENTITY).collect()
    }

    /// What a client would have to send as `Host` to name them.
    fn pool_hosts(&self) -> BTreeSet<String> {
        self.pools().iter().filter_map(|name| name.splitn(3, '|').last().map(str::to_owned)).collect()
    }
}

/// The id of the certificate that a service itself has, as JSON.
fn own_certificate(service: &str) -> Value {
    if service == "with-own-certificate" { ENTITY.into() } else { Value::Null }
}

/// Plugin and phase, and the service, of a line that [`DUMP`] has logged.
fn dump_of(line: &str) -> Option<(String, Value)> {
    let (_, rest) = line.split_once("service seen by ")?;
    let (place, json) = rest.split_once(": ")?;
    let service = serde_json::Deserializer::from_str(json).into_iter().next()?.ok()?;
    Some((place.to_owned(), service))
}

fn config(file: &Path, receiver: u16, targets: [u16; 2], own: Option<&(String, String)>) -> String {
    let dumps = FUNCTIONS.map(|plugin| {
        let phases = PHASES.map(|phase| {
            let code = DUMP.replace("PLACE", &format!("{plugin}, {phase}"));
            format!("{phase}: [{}]", serde_json::to_string(&code).unwrap())
        });
        format!("- {{name: {plugin}, config: {{{}}}}}\n", phases.join(", "))
    });
    let (entity, own) = own.map_or_else(Default::default, |pair| {
        (certificate_entity(pair), format!("client_certificate: {{id: {ENTITY}}}"))
    });
    let targets = targets.map(|port| format!("{{target: '127.0.0.1:{port}', weight: 100}}"));
    let host = serde_json::to_string(SET_HOST).unwrap();
    format!(
        r#"_format_version: "3.0"
{entity}upstreams:
- {{name: kennels, host_header: localhost, targets: [{targets}]}}
plugins:
- {{name: file-log, config: {{path: {file}, reopen: true}}}}
- {{name: http-log, config: {{http_endpoint: 'http://127.0.0.1:{receiver}/', queue: {{max_batch_size: 1, max_coalescing_delay: 0}}}}}}
{dumps}services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{upstream_mtls}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{POLICY}]}}
  - {{name: dogs-preserving, paths: [/dogs-preserving], preserve_host: true, plugins: [{POLICY}]}}
- name: with-own-certificate
  url: https://dogcatcher-api:5443
  {own}
  plugins: [{upstream_mtls}]
  routes:
  - {{name: own, paths: [/own], plugins: [{POLICY}]}}
  - {{name: default, paths: [/default]}}
- name: retried
  url: https://kennels
  retries: 5
  plugins: [{upstream_mtls}]
  routes:
  - {{name: retried, paths: [/retried], plugins: [{POLICY}]}}
- name: neighbor
  url: https://dogcatcher-api:5443
  routes:
  - {{name: plain, paths: [/plain]}}
  - {{name: preserving, paths: [/preserving], preserve_host: true}}
  - {{name: set-header, paths: [/set-header], plugins: [{{name: post-function, config: {{access: [{host}]}}}}]}}
  - {{name: transformed, paths: [/transformed], plugins: [{{name: request-transformer, config: {{replace: {{headers: ["host:$(headers['x-host'])"]}}}}}}]}}
"#,
        targets = targets.join(", "),
        file = file.display(),
        dumps = dumps.concat(),
        upstream_mtls = upstream_mtls(""),
    )
}

/// A certificate of Kong's own with the id [`ENTITY`].
fn certificate_entity((chain, key): &(String, String)) -> String {
    let [chain, key] = [chain, key].map(|pem| serde_json::to_string(pem).unwrap());
    format!("certificates: [{{id: {ENTITY}, cert: {chain}, key: {key}}}]\n")
}

const POLICY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}, {username: vet, keys: [{id: '1', sha256: <vet>}]}], \
    rules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]}}";

/// One runs before all other plugins, one after them.
const FUNCTIONS: [&str; 2] = ["pre-function", "post-function"];

const PHASES: [&str; 4] = ["access", "header_filter", "body_filter", "log"];

const DUMP: &str = r#"local service = ngx.ctx.service
if service then kong.log.notice("service seen by PLACE: ", require("cjson.safe").encode(service)) end"#;

const SET_HOST: &str = r#"kong.service.request.set_header("Host", kong.request.get_header("X-Host"))"#;

const ENTITY: &str = "5c0a5d2e-0000-4000-8000-000000000023";
