//! `harness envoy config`, and what a plain Envoy does with what it prints.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test says no")]

mod plain_envoy;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::dogcatcher::Fault;
use harness::gateway::envoy::{Envoy, translate};
use harness::gateway::{self, Ability, Gateway, Running, Setup};
use harness::stack::{ANY_PORT, Plan, Stack};
use pki::Leaf;
use plain_envoy::envoy;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn envoy_accepts_what_is_printed_and_no_filter_fails_open() {
    let Some(envoy) = envoy() else { return };
    let directory = fixture();
    let sds = ["--sds", "sds"];
    for (file, options) in [("static.yaml", &[][..]), ("sds.yaml", &sds)] {
        let printed = harness(&directory, &["kong.yml"], options);
        assert!(printed.status.success(), "{}", text(&printed.stderr));
        let printed = text(&printed.stdout);
        assert!(printed.contains(r#""failure_policy": "FAIL_RELOAD""#) && !printed.contains("FAIL_OPEN"));
        assert!(!printed.contains("PRIVATE KEY"), "a key was printed");
        fs::write(directory.path().join(file), printed).unwrap();
        let mut validate = Command::new(envoy.bin());
        validate.args(["--mode", "validate", "--log-level", "warn", "--config-path", file]);
        let said = validate.current_dir(directory.path()).output().unwrap();
        assert!(said.status.success(), "{file}: {}", text(&said.stderr));
    }
    assert_eq!(fs::read_dir(directory.path().join("sds")).unwrap().count(), 2, "a pair and a CA");
}

#[test]
fn what_is_not_done_on_envoy_is_named_with_its_place() {
    let directory = fixture();
    // What a route has, and what is said of it.
    let rows = [
        (
            "{paths: ['~/dogs/\\d+'], strip_path: true}",
            "services[0].routes[0].paths: a regex with strip_path",
        ),
        ("{hosts: ['dogs.example:8443']}", "services[0].routes[0].hosts: a port"),
        (
            "{paths: [/x], headers: {x-api-key: [k]}}",
            "services[0].routes[0].headers.x-api-key: not supported",
        ),
        (
            "{paths: [/x], headers: {X_Consumer_ID: [k]}}",
            "services[0].routes[0].headers.x_consumer_id: not supported",
        ),
        ("{paths: [/x], protocols: [grpc]}", "routes[0].protocols"),
        ("{paths: [/x], snis: [a]}", "routes[0].snis"),
    ];
    for (route, owed) in rows {
        let config = format!(
            "_format_version: '3.0'\nservices:\n- url: https://dogs.example\n  routes:\n  - {route}\n  plugins:\n  \
             - {{name: mtls-policy, config: {{key_names: [X-API-Key], consumers: [{{username: a}}]}}}}\n"
        );
        fs::write(directory.path().join("odd.yml"), config).unwrap();
        let said = harness(&directory, &["odd.yml"], &[]);
        let error = text(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{route}: {error}");
        assert!(error.contains("odd.yml:5: ") && error.contains(owed), "{route}: {error}");
    }
}

#[test]
fn a_mistake_in_a_policy_is_named_with_its_place() {
    let directory = fixture();
    let config = "_format_version: '3.0'\nservices:\n- url: https://dogs.example\n  plugins:\n  \
                  - {name: mtls-policy, config: {consumers: [{username: a}], rules: [{match: {groups: [x]}, deny: {}}]}}\n";
    fs::write(directory.path().join("odd.yml"), config).unwrap();
    let said = harness(&directory, &["odd.yml"], &[]);
    assert_eq!(said.status.code(), Some(1));
    let owed = "odd.yml:5: services[0].plugins[0]: rules[0].match.groups[0]: ";
    assert!(text(&said.stderr).contains(owed), "{}", text(&said.stderr));
}

#[test]
fn a_private_key_of_the_config_is_never_printed() {
    let directory = fixture();
    let (chain, key) = pair();
    let config = format!(
        "_format_version: '3.0'\nservices:\n- url: https://dogs.example\n  client_certificate: {{id: {ID}}}\n  \
         routes: [{{paths: [/x]}}]\ncertificates:\n- id: {ID}\n  cert: {chain:?}\n  key: {key:?}\n"
    );
    fs::write(directory.path().join("own.yml"), config).unwrap();
    let refused = harness(&directory, &["own.yml"], &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("give --sds"), "{}", text(&refused.stderr));
    assert!(!text(&refused.stdout).contains("PRIVATE KEY") && !text(&refused.stderr).contains("PRIVATE KEY"));
    let printed = harness(&directory, &["own.yml"], &["--sds", "sds"]);
    assert!(printed.status.success() && !text(&printed.stdout).contains("PRIVATE KEY"));
}

#[test]
fn a_plain_envoy_keeps_identities_apart_and_none_can_be_forged() {
    let Some(by_itself) = ByItself::find() else { return };
    let stack = by_itself.stack();
    let mut connections: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for turn in 0..120 {
        let (who, owed) = [("ann", "kong-client"), ("vet", "kong-vet")][turn % 2];
        let seen = ask(&stack, who, "");
        assert_eq!((seen.status, seen.client()), (200, owed), "turn {turn}");
        connections.entry(owed.to_owned()).or_default().insert(seen.connection());
    }
    let apart = connections["kong-client"].is_disjoint(&connections["kong-vet"]);
    let few = connections.values().all(|connections| connections.len() < 30);
    assert!(apart && few, "pools are split and kept alive: {connections:?}");

    let forged = [
        "upstream_mtls.client_certificate: kong-vet\r\n",
        "wasm.upstream_mtls.client_certificate: kong-vet\r\n",
        "x-envoy-upstream-alt-stat-name: kong-vet\r\nx-envoy-original-dst-host: kong-vet\r\n",
        "x-kong-client-certificate: kong-vet\r\ncluster: dogcatcher/kong-vet\r\n",
    ];
    for headers in forged {
        let seen = ask(&stack, "ann", headers);
        assert_eq!((seen.status, seen.client()), (200, "kong-client"), "{headers}");
    }

    let before = stack.dogcatcher().counts().requests;
    let unknown = ask(&stack, "intern", "");
    assert_eq!(
        (unknown.status, unknown.body["message"].as_str()),
        (503, Some("No client certificate in force"))
    );
    assert_eq!(ask(&stack, "nobody", "").status, 401);
    assert_eq!(stack.dogcatcher().counts().requests, before, "the upstream heard of it");
}

#[test]
fn a_plain_envoy_takes_new_files_over_by_sds_and_keeps_the_last_good_ones() {
    let Some(by_itself) = ByItself::find() else { return };
    let stack = by_itself.stack();
    // Every request is a handshake of its own: open connections would go on under the certificate before.
    stack.dogcatcher().set_fault(Fault::CloseEach);
    let ca = stack.authority().pem();
    for who in [("ann", "kong-client"), ("vet", "kong-vet")] {
        assert_eq!(ask(&stack, who.0, "").client(), who.1);
    }
    rotate(&stack, "ann", "kong-client");

    let good = stack.fingerprint("kong-client").unwrap();
    let (chain, _) = pair();
    let (_, other_key) = pair();
    for (what, chain, key) in
        [("another's key", &*chain, &*other_key), ("garbage", "x", "y"), ("nothing", "", "")]
    {
        stack.put("kong-client", chain, key, &ca).unwrap();
        // The other's rotation is proof that files were looked at since.
        rotate(&stack, "vet", "kong-vet");
        let seen = ask(&stack, "ann", "");
        assert_eq!((seen.status, seen.fingerprint()), (200, &*good), "{what}");
    }
    rotate(&stack, "ann", "kong-client");
}

/// Replaces a client certificate, and waits until it is the one that the upstream sees.
fn rotate(stack: &Stack, who: &str, client: &str) {
    stack.rotate(client, &stack.authority().issue(&Leaf::client(client)).unwrap()).unwrap();
    let fresh = stack.fingerprint(client).unwrap();
    wait(&format!("{client} rotates"), || ask(stack, who, "").fingerprint() == fresh);
}

/// An Envoy on what `harness envoy config --sds` prints, and nothing beside it.
struct ByItself(Envoy);

impl ByItself {
    fn find() -> Option<Self> {
        envoy().map(Self)
    }

    fn stack(&self) -> Stack {
        let plan =
            Plan { config: CONFIG, clients: &["kong-client", "kong-vet"], proxy: ANY_PORT, status: None };
        Stack::up(self, &plan).unwrap()
    }
}

impl Gateway for ByItself {
    fn name(&self) -> &'static str {
        "envoy by itself"
    }

    fn lacks(&self, _: Ability) -> Option<&'static str> {
        None
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        plain_envoy::serve(&self.0, |proxy, directory| {
            let sds = directory.join("sds");
            Ok(translate(&setup.config, &setup.filters, proxy, Some(&sds))?.to_string())
        })
    }
}

/// An answer, and in it what the upstream saw.
struct Seen {
    status: u16,
    head: String,
    body: Value,
}

impl Seen {
    fn client(&self) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix("x-seen-client: ")).unwrap_or_default()
    }

    fn fingerprint(&self) -> &str {
        self.body["client"]["fingerprint"].as_str().unwrap_or_default()
    }

    fn connection(&self) -> u64 {
        self.body["number"].as_u64().unwrap()
    }
}

fn ask(stack: &Stack, who: &str, headers: &str) -> Seen {
    let key = stack.keys().of(who).unwrap();
    let mut connection = TcpStream::connect(stack.gateway().proxy()).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /dogs/anything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-API-Key: {key}\r\n{headers}\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Seen { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
}

fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// The shipped config and the files that it names, in a directory.
fn fixture() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let secrets = directory.path().join("kong-upstream-mtls");
    fs::create_dir(&secrets).unwrap();
    let (chain, key) = pair();
    for (name, content) in [("tls.crt", &chain), ("tls.key", &key), ("ca.crt", &chain)] {
        fs::write(secrets.join(name), content).unwrap();
    }
    let config = include_str!("../../kong/kong.yml");
    let config = config.replace("/etc/secrets", &directory.path().display().to_string());
    fs::write(directory.path().join("kong.yml"), config).unwrap();
    directory
}

fn harness(directory: &TempDir, arguments: &[&str], options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(directory.path()).env("HARNESS_FILTERS", filters()).stdin(Stdio::null());
    command.args(["envoy", "config"]).args(arguments).args(options).output().unwrap()
}

fn filters() -> PathBuf {
    Path::new(&gateway::filters().unwrap()).canonicalize().unwrap()
}

/// A chain and a key that belong together and to nobody else.
fn pair() -> (String, String) {
    let authority = pki::Authority::root(&pki::Ca::named("a CA")).unwrap();
    let issued = authority.issue(&Leaf::client("kong-client")).unwrap();
    (issued.chain_pem(), issued.key().pem())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const PATIENCE: Duration = Duration::from_secs(30);

const ID: &str = "7c1e0000-0000-4000-8000-000000000001";

const CONFIG: &str = r#"_format_version: "3.0"
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
      ca_file: /etc/secrets/kong-upstream-mtls/ca.crt
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config:
        key_names: [X-API-Key]
        hide_credentials: true
        consumers:
        - username: ann
          keys: [{id: "1", sha256: <ann>}]
        - username: vet
          keys: [{id: "1", sha256: <vet>}]
        - username: intern
          keys: [{id: "1", sha256: <intern>}]
        client_certificate: kong-client
        rules:
        - match: {consumers: [vet]}
          client_certificate: kong-vet
        - match: {consumers: [intern]}
          client_certificate: kong-retired
"#;
