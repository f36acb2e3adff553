//! Upstream entities: whichever target a request comes to, it comes as who it was decided to be.

use std::net::TcpListener;

use harness::dogcatcher::Dogcatcher;
use harness::gateway::Ability;
use harness::stack::ANY_PORT;
use tests::config::{CA_FILE, from_files, upstream_mtls};
use tests::{Setting, needs, raw, tests};

tests![
    a_retry_at_the_next_target_keeps_the_identity,
    every_target_is_called_by_the_right_identity,
    health_checks_present_the_certificate_of_the_upstream_entity,
    two_names_of_one_upstream_share_no_connection,
];

const POLICY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}, {username: vet, keys: [{id: '1', sha256: <vet>}]}], \
    rules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]}}";

fn setting(targets: &[u16]) -> Setting {
    needs(Ability::KongsOwn);
    Setting::of(&config(targets, ""))
}

/// With an Upstream entity of targets on this host, which is called `localhost` to them, and what else it is to have.
fn config(targets: &[u16], more: &str) -> String {
    let targets: Vec<_> =
        targets.iter().map(|port| format!("{{target: '127.0.0.1:{port}', weight: 100}}")).collect();
    format!(
        r#"_format_version: "3.0"
upstreams:
- {{name: kennels, host_header: localhost, targets: [{}]{more}}}
services:
- name: dogcatcher
  url: https://kennels
  retries: 5
  plugins: [{}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{POLICY}]}}
"#,
        targets.join(", "),
        upstream_mtls("")
    )
}

fn port(of: &Dogcatcher) -> u16 {
    of.mtls().unwrap().port()
}

fn a_retry_at_the_next_target_keeps_the_identity() {
    let setting = setting(&[1]);
    // Bound, so that nobody else gets it, and not listening.
    let closed = TcpListener::bind(ANY_PORT).unwrap().local_addr().unwrap().port();
    setting.reconfigure_to(&config(&[closed, port(setting.upstream())], "")).unwrap();
    for turn in 0..40 {
        let (who, owed) = [("ann", "kong-client"), ("vet", "kong-vet")][turn % 2];
        let key = setting.key(who);
        let answer = raw::get(setting.proxy(), "/dogs/anything", &[("X-API-Key", &key)]);
        assert_eq!((answer.status, answer.seen_client()), (200, Some(owed)), "turn {turn}: {}", answer.body);
    }
    assert!(setting.log().contains("Connection refused"), "no request was tried twice");
}

fn every_target_is_called_by_the_right_identity() {
    let setting = setting(&[1]);
    let other = setting.another_upstream();
    setting.reconfigure_to(&config(&[port(setting.upstream()), port(&other)], "")).unwrap();
    for turn in 0..100 {
        let (who, owed) = [("ann", "kong-client"), ("vet", "kong-vet")][turn / 3 % 2];
        let seen = setting.get("/dogs/anything").key(who).send();
        assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}");
    }
    let (here, there) = (setting.requests_upstream(), other.counts().requests);
    assert!(here > 20 && there > 20, "{here} requests here, {there} there");
}

/// A check knows of no request, so nothing that a request selects can serve it.
fn health_checks_present_the_certificate_of_the_upstream_entity() {
    let setting = setting(&[1]);
    let (chain, key) = setting.issue("health-check");
    let [chain, key] = [chain, key].map(|pem| serde_json::to_string(&pem).unwrap());
    let active = ", healthchecks: {active: {type: https, http_path: /health, https_verify_certificate: false, \
        healthy: {interval: 0.2, successes: 1}, unhealthy: {interval: 0.2, http_failures: 1, tcp_failures: 1, timeouts: 1}}}";
    let with_entity = format!(
        "certificates: [{{id: {ENTITY}, cert: {chain}, key: {key}}}]\n{}",
        config(&[port(setting.upstream())], &format!("{active}, client_certificate: {{id: {ENTITY}}}"))
            .replace("_format_version: \"3.0\"\n", "")
    );
    let status = || setting.get("/dogs/anything").key("ann").send().status;

    // Alone the plugin leaves the check without a certificate, which Dogcatcher does not let in.
    setting.reconfigure_to(&config(&[port(setting.upstream())], active)).unwrap();
    setting.wait_until("the target is taken for unhealthy", || status() == 503);

    setting.reconfigure_to(&format!("_format_version: \"3.0\"\n{with_entity}")).unwrap();
    setting.wait_until("the target is taken for healthy", || status() == 200);
    let before = setting.upstream().counts().refused_handshakes;
    let checks = || {
        let latest = setting.upstream().latest();
        latest.iter().filter(|seen| seen.uri == "/health").count()
    };
    let checked = checks();
    setting.wait_until("it is checked some more", || checks() >= checked + 5);
    assert_eq!(setting.upstream().counts().refused_handshakes, before);
    let seen = setting.get("/dogs/anything").key("vet").send();
    assert_eq!(seen.common_name(), Some("kong-vet"), "what is selected goes before the entity's own");
}

/// With session tickets that are good for both, and each under a certificate of its own.
fn two_names_of_one_upstream_share_no_connection() {
    needs(Ability::KongsOwn);
    let service = |name: &str, certificate: &str| {
        format!(
            "- {{name: {name}, url: 'https://{name}', routes: [{{name: {name}, paths: [/{name}]}}], plugins: [{{name: upstream-mtls, \
             config: {{client_certificates: [{}], client_certificate: {certificate}, ca_file: {CA_FILE}}}}}]}}\n",
            from_files(certificate)
        )
    };
    let config = |port: u16| {
        format!(
            r#"_format_version: "3.0"
upstreams:
- {{name: dogs.example, host_header: dogs.example, targets: [{{target: '127.0.0.1:{port}'}}]}}
- {{name: vets.example, host_header: vets.example, targets: [{{target: '127.0.0.1:{port}'}}]}}
services:
{}{}"#,
            service("dogs.example", "kong-client"),
            service("vets.example", "kong-vet")
        )
    };
    let setting = Setting::of(&config(1));
    let names = "dogs.example,vets.example".parse().unwrap();
    let shown = setting.authority().issue(&pki::Leaf::server("dogcatcher").reached_as(names)).unwrap();
    setting.upstream_tls(|tls| {
        (tls.chain, tls.key) = (shown.chain_pem(), shown.key().pem());
        tls.sessions = harness::dogcatcher::Sessions::Tickets;
    });
    setting.reconfigure_to(&config(port(setting.upstream()))).unwrap();
    for turn in 0..60 {
        let (name, owed) = [("dogs.example", "kong-client"), ("vets.example", "kong-vet")][turn * 7 / 3 % 2];
        let answer = raw::get(setting.proxy(), &format!("/{name}/anything"), &[]);
        assert_eq!((answer.status, answer.seen_client()), (200, Some(owed)), "turn {turn}: {}", answer.body);
        let seen: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(seen["server_name"], name, "turn {turn}");
    }
}

const ENTITY: &str = "5c0a5d2e-0000-4000-8000-000000000003";
