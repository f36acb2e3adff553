//! The driver by itself: its translation, and a real Envoy where there is one.

use std::fs;
use std::io::{Read, Write, stderr};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::Value;

use super::plan::Plan as Clusters;
use super::routes::route_configuration;
use super::*;
use crate::gateway::ask::Peer;
use crate::gateway::wait::until;
use crate::gateway::{by_name, filters};
use crate::stack::{ANY_PORT, Plan, Stack};
use kong_config::declarative;
use pki::{Algorithm, Authority, Ca, Leaf};

#[test]
fn routes_stand_in_kongs_order() {
    let entries = routes(
        "services:
- url: https://dogs.example/api
  routes:
  - {name: short, paths: [/a]}
  - {name: long, paths: [/a/b, '~/x\\d'], strip_path: false}
  - {name: host, hosts: [dogs.example]}
",
    );
    let order: Vec<_> =
        entries.iter().map(|entry| (text(&entry["name"]), entry["match"].to_string())).collect();
    let owed = [
        (
            "host",
            r#"{"headers":[{"name":":authority","string_match":{"safe_regex":{"regex":"dogs\\.example(?::[0-9]+)?"}}}],"path":"/"}"#,
        ),
        (
            "host",
            r#"{"headers":[{"name":":authority","string_match":{"safe_regex":{"regex":"dogs\\.example(?::[0-9]+)?"}}}],"prefix":"/"}"#,
        ),
        ("long", r#"{"safe_regex":{"regex":"(?s:.*)(?:^/x\\d)(?s:.*)"}}"#),
        ("long", r#"{"prefix":"/a/b"}"#),
        ("short", r#"{"path":"/a"}"#),
        ("short", r#"{"prefix":"/a"}"#),
    ];
    assert_eq!(order, owed.map(|(name, conditions)| (name.to_owned(), conditions.to_owned())));
}

#[test]
fn a_route_with_a_policy_has_no_cluster_without_a_decision() {
    let entries = routes(
        "services:
- url: https://dogs.example
  routes:
  - {name: free, paths: [/free]}
  - name: dogs
    paths: [/dogs]
    plugins: [{name: mtls-policy, config: {consumers: [{username: a}], anonymous: a}}]
",
    );
    let clusters = |entry: &Value| {
        let matcher = &entry["route"]["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["cluster_matcher"];
        let cluster = |action: &Value| text(&action["action"]["typed_config"]["cluster"]);
        let unchanged = &matcher["matcher_tree"]["exact_match_map"]["map"]["/unchanged"];
        (text(&entry["name"]), cluster(&matcher["on_no_match"]), cluster(unchanged))
    };
    let [dogs, free] = &entries[..] else { panic!("{entries:?}") };
    let (name, undecided, unchanged) = clusters(dogs);
    assert_eq!((&*name, &*undecided), ("dogs", "none/in-force"));
    assert_ne!(unchanged, undecided);
    let (name, undecided, unchanged) = clusters(free);
    assert_eq!((&*name, undecided), ("free", unchanged));
    assert!(free.get("typed_per_filter_config").is_none());
}

#[test]
fn a_new_config_counts_on_open_connections_too() {
    let Some(stack) = up(&config("message: one")) else { return };
    let mut open = TcpStream::connect(stack.gateway().proxy()).unwrap();
    let mut ask = || {
        open.write_all(b"GET /dogs/x HTTP/1.1\r\nHost: dogs\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let length = open.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    assert!(ask().contains("one"));
    for round in 0..5 {
        stack.reconfigure(&config(&format!("message: two {round}"))).unwrap();
        let answer = ask();
        assert!(answer.contains(&format!("two {round}")) && !answer.contains("onnection: close"), "{answer}");
    }
}

#[test]
fn what_envoy_refuses_leaves_the_config_before_in_force() {
    let Some(stack) = up(&config("message: one")) else { return };
    // RE2 has no such class, which Envoy alone knows.
    let odd = config("message: two")
        .replace("paths: [/dogs]", "strip_path: false\n    paths: ['~/dogs/\\p{Emoji}']");
    let refusal = format!("{:#}", stack.reconfigure(&odd).unwrap_err());
    assert!(refusal.contains("Envoy refuses the routes") && refusal.contains("Emoji"), "{refusal}");
    assert!(get(&stack).1.contains("one"));
    stack.reconfigure(&config("message: three")).unwrap();
    assert!(get(&stack).1.contains("three"));
}

#[test]
fn metrics_are_served_and_nothing_else_of_the_admin_interface_is() {
    let Some(stack) = up_with(&config("message: one"), Some(ANY_PORT)) else { return };
    let status = Peer::Tcp(stack.gateway().status().unwrap());
    let ask = |request| status.ask(request, Bytes::new(), PATIENCE).unwrap();
    assert_eq!(ask(Request::get("/ready")).0, StatusCode::OK);
    let (code, metrics) = ask(Request::get("/stats/prometheus"));
    assert_eq!(code, StatusCode::OK);
    assert!(String::from_utf8_lossy(&metrics).contains("envoy_cluster_upstream_cx_total"));
    for request in [Request::get("/config_dump"), Request::post("/quitquitquit"), Request::post("/ready")] {
        assert_eq!(ask(request).0, StatusCode::NOT_FOUND);
    }
}

#[test]
fn nothing_is_left_after_it_and_nobody_else_reads_its_keys_while_it_runs() {
    let Some(envoy) = envoy() else { return };
    let place = tempfile::tempdir().unwrap();
    let setup = Setup {
        config: place.path().join("kong.yml"),
        filters: filters().unwrap(),
        proxy: ANY_PORT,
        status: None,
    };
    let (chain, key) = {
        let issued = Authority::root(&Ca::named("a CA")).unwrap().issue(&Leaf::client("own")).unwrap();
        (issued.chain_pem(), issued.key().pem())
    };
    let config = format!(
        "_format_version: '3.0'\nservices:\n- url: https://dogs.example\n  client_certificate: {ID}\n  \
         routes: [{{paths: [/x]}}]\ncertificates: [{{id: {ID}, cert: {chain:?}, key: {key:?}}}]\n"
    );
    fs::write(&setup.config, config).unwrap();
    let served = Served::start(envoy.bin(), &setup).unwrap();
    let directory = served.directory().to_owned();
    let of_it = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
        lines.filter(|line| line.contains(&*directory.display().to_string())).count()
    };
    assert_eq!(of_it(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let secrets: Vec<_> = fs::read_dir(directory.join("secrets")).unwrap().flatten().collect();
    assert_eq!(secrets.iter().map(|secret| mode(&secret.path())).collect::<Vec<_>>(), [0o600]);
    assert!(!served.log().contains("PRIVATE KEY"));
    drop(served);
    assert_eq!((of_it(), directory.exists()), (0, false));
}

#[test]
fn each_kind_of_key_is_presented() {
    let Some(stack) =
        up(&config("message: one").replace("deny: {message: one}", "client_certificate: kong-client"))
    else {
        return;
    };
    for algorithm in [Algorithm::EcdsaP384, Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let issued = stack.authority().issue(&Leaf::client("kong-client").algorithm(algorithm)).unwrap();
        stack.rotate("kong-client", &issued).unwrap();
        let fresh = issued.fingerprint();
        let presented = until(PATIENCE, || get(&stack).1.contains(&fresh).then_some(()));
        assert!(presented.is_some(), "{algorithm:?}: {}", stack.gateway().log());
    }
}

#[test]
fn an_envoy_that_is_not_there_is_unavailable() {
    let options = Options { envoy_bin: Some("/nowhere/envoy".into()), ..Options::default() };
    let error = by_name("envoy", &options).map(drop).unwrap_err();
    let words = "/nowhere/envoy is no envoy: set ENVOY_BIN or --envoy-bin".to_owned();
    assert_eq!(error.downcast_ref(), Some(&Unavailable(words)));
}

fn up(config: &str) -> Option<Stack> {
    up_with(config, None)
}

fn up_with(config: &str, status: Option<SocketAddr>) -> Option<Stack> {
    let plan = Plan { config, clients: &["kong-client"], proxy: ANY_PORT, status };
    envoy().map(|envoy| Stack::up(&envoy, &plan).unwrap())
}

/// Nothing, and said so, where there is none, unless it has to be there.
fn envoy() -> Option<Envoy> {
    let required = env::var("HARNESS_REQUIRE").unwrap_or_default();
    match Envoy::find(&Options::default()) {
        Ok(envoy) => Some(envoy),
        Err(Unavailable(reason)) => {
            assert!(!required.split(',').any(|each| each == "envoy"), "{reason}");
            // Not `eprintln!`, which is seen of failed tests only.
            writeln!(stderr(), "skipped: {reason}").unwrap();
            None
        }
    }
}

fn get(stack: &Stack) -> (StatusCode, String) {
    let gateway = Peer::Tcp(stack.gateway().proxy());
    let (code, answer) = gateway.ask(Request::get("/dogs/anything"), Bytes::new(), PATIENCE).unwrap();
    (code, String::from_utf8_lossy(&answer).into_owned())
}

fn routes(document: &str) -> Vec<Value> {
    let document = format!("_format_version: '3.0'\n{document}");
    let config = declarative::parse(&document, "kong.yml", &["mtls-policy".to_owned()].into()).unwrap();
    let plan = Clusters::configured(&config);
    let routes = route_configuration(&config, &plan, Path::new("/filters"));
    routes["virtual_hosts"][0]["routes"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One route, on which everybody is told something.
fn config(deny: &str) -> String {
    format!(
        r#"_format_version: "3.0"
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
      ca_file: /etc/secrets/kong-upstream-mtls/ca.crt
      reload_interval: 0.1
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - name: mtls-policy
      config: {{consumers: [{{username: guest}}], anonymous: guest, rules: [{{match: {{}}, deny: {{{deny}}}}}]}}
"#
    )
}

const ID: &str = "7c1e0000-0000-4000-8000-000000000001";

const PATIENCE: Duration = Duration::from_secs(30);
