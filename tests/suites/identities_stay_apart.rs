//! No request rides a connection, or resumes a session, of another identity.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use harness::dogcatcher::{ClientCertificate, Fault, Sessions, Versions};
use harness::gateway::Ability;
use pki::{Ca, Leaf};
use tests::config::CA_FILE;
use tests::{Setting, needs, permutations, raw, tests};

tests![
    a_certificate_entity_that_is_replaced_under_its_id_is_another_identity,
    authorities_between_leaf_and_root_are_sent_along,
    ten_thousand_interleaved_requests_ride_connections_of_their_own_identity,
    every_order_of_three_identities_and_none_stays_right_on_each_tls_version,
    a_session_is_resumed_by_its_own_identity_only,
];

/// Everybody under a certificate of their own.
const POLICY: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet
- match: {consumers: [intern]}
  client_certificate: kong-intern";

const WHO: [(&str, &str); 3] =
    [("model-citizen", "kong-client"), ("vet", "kong-vet"), ("intern", "kong-intern")];

fn ten_thousand_interleaved_requests_ride_connections_of_their_own_identity() {
    let setting = Setting::new(POLICY);
    let connections = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for worker in 0..5_usize {
            let (setting, connections) = (&setting, &connections);
            scope.spawn(move || {
                for turn in 0..2_000 {
                    // Neighbouring workers and turns never ask as the same consumer in step.
                    let (who, owed) = WHO[(turn * (worker + 1) + turn / 7 + worker) % WHO.len()];
                    let seen = setting.get("/dogs/anything").key(who).send();
                    assert_eq!((seen.status, seen.common_name()), (200, Some(owed)));
                    assert_eq!(seen.header("x-consumer-username"), [who]);
                    connections.lock().unwrap().insert(seen.connection());
                }
            });
        }
    });
    let connections = connections.into_inner().unwrap().len();
    assert!(connections < 200, "kept alive means few connections, not {connections} for 10,000 requests");
}

fn every_order_of_three_identities_and_none_stays_right_on_each_tls_version() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let setting = Setting::with_routes("anonymous: guest\nclient_certificate: kong-client", ROUTES);
        setting.upstream_tls(|tls| {
            tls.versions = versions;
            tls.client_certificate = ClientCertificate::Asked;
        });
        let owed = |route: &str| match route {
            "/dogs" => Some("kong-client"),
            "/vets" => Some("kong-vet"),
            "/interns" => Some("kong-intern"),
            _ => None,
        };
        for order in permutations(&["/dogs", "/vets", "/interns", "/none"]) {
            // Twice, so that the second round finds every pool warm; on connections of their own, so that every
            // worker of the gateway gets its share.
            for route in order.iter().chain(&order) {
                let answer = raw::get(setting.proxy(), &format!("{route}/anything"), &[]);
                assert_eq!((answer.status, answer.seen_client()), (200, owed(route)), "{route} in {order:?}");
            }
        }
    }
}

/// The certificate stands in the config itself, so that it changes with the config and keeps its id.
fn a_certificate_entity_that_is_replaced_under_its_id_is_another_identity() {
    let setting = Setting::new("client_certificate: kong-client");
    let mut before = None;
    for _ in 0..5 {
        let (chain, key) = setting.issue("kong-client");
        let [chain, key] = [chain, key].map(|pem| serde_json::to_string(&pem).unwrap());
        setting
            .reconfigure_to(&format!(
                r#"_format_version: "3.0"
certificates:
- {{id: {ENTITY}, cert: {chain}, key: {key}}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes:
  - name: dogs
    paths: [/dogs]
  plugins:
  - name: upstream-mtls
    config:
      client_certificates: [{{name: by-id, certificate: {{id: {ENTITY}}}}}]
      client_certificate: by-id
      ca_file: {CA_FILE}
      reload_interval: 0.1
"#
            ))
            .unwrap();
        let fresh = before.clone();
        setting.wait_until("the new certificate is presented", || {
            let seen = setting.get("/dogs/anything").send();
            seen.status == 200 && seen.fingerprint() != fresh
        });
        // From here on the one before is history, on every connection.
        let now = setting.get("/dogs/anything").send().fingerprint();
        for _ in 0..40 {
            let answer = raw::get(setting.proxy(), "/dogs/anything", &[]);
            assert_eq!(raw::fingerprint(&answer), now);
        }
        before = now;
    }
}

fn authorities_between_leaf_and_root_are_sent_along() {
    let setting = Setting::new("client_certificate: kong-client");
    let between = setting.authority().intermediate(&Ca::named("between")).unwrap();
    let issued = between.issue(&Leaf::client("kong-client")).unwrap();
    setting.put("kong-client", &issued.chain_pem(), &issued.key().pem());
    setting.wait_until("the longer chain is presented", || {
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        seen.status == 200 && seen.chain_length() == 2
    });
}

fn a_session_is_resumed_by_its_own_identity_only() {
    needs(Ability::ResumesSessions);
    for versions in [Versions::Tls12, Versions::Tls13] {
        let setting = Setting::new(POLICY);
        setting.upstream_tls(|tls| {
            tls.versions = versions;
            tls.sessions = Sessions::Tickets;
        });
        // Every request is a handshake of its own.
        setting.upstream().set_fault(Fault::CloseEach);
        let mut resumed = 0;
        for turn in 0..30 {
            let (who, owed) = WHO[turn % WHO.len()];
            let seen = setting.get("/dogs/anything").key(who).send();
            assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}");
            resumed += usize::from(seen.resumed());
        }
        assert!(resumed > 0, "no session was resumed, so nothing was tried");
    }
}

const ENTITY: &str = "5c0a5d2e-0000-4000-8000-000000000002";

/// One without a policy and so without a certificate, and others with another certificate each.
const ROUTES: &str = "  - name: none
    paths: [/none]
  - name: vets
    paths: [/vets]
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-vet}
  - name: interns
    paths: [/interns]
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-intern}
";
