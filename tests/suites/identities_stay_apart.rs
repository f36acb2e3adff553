//! No request rides a connection, or resumes a session, of another identity.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use tests::{Setting, Upstream};

/// Everybody under a certificate of their own.
const POLICY: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet
- match: {consumers: [intern]}
  client_certificate: kong-intern";

const WHO: [(&str, &str); 3] =
    [("model-citizen", "kong-client"), ("vet", "kong-vet"), ("intern", "kong-intern")];

#[test]
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

#[test]
fn every_order_of_two_identities_and_none_stays_right_on_each_tls_version() {
    for upstream in [Upstream::tls12(), Upstream::tls13()] {
        let setting = Setting::with(&upstream.asks_only(), "{}", |config| {
            format!(
                "{config}
  - name: a
    paths: [/a]
    plugins: [{{name: mtls-policy, config: {{consumers: &c [{{username: x, keys: [{{id: '1', sha256: <x>}}]}}], \
                 anonymous: x, client_certificate: kong-client}}}}]
  - name: b
    paths: [/b]
    plugins: [{{name: mtls-policy, config: {{consumers: *c, anonymous: x, client_certificate: kong-vet}}}}]
  - name: none
    paths: [/none]
"
            )
        });
        let owed = |route: &str| match route {
            "/a" => Some("kong-client"),
            "/b" => Some("kong-vet"),
            _ => None,
        };
        for order in permutations(["/a", "/b", "/none"]) {
            // Twice, so that the second round finds every pool warm.
            for route in order.iter().chain(&order) {
                let seen = setting.get(&format!("{route}/anything")).send();
                assert_eq!((seen.status, seen.common_name()), (200, owed(route)), "{route} in {order:?}");
            }
        }
    }
}

#[test]
fn a_session_is_resumed_by_its_own_identity_only() {
    // The upstream hands out tickets and closes after each request, so every request is a new handshake.
    for upstream in [Upstream::tls12(), Upstream::tls13()] {
        let setting = Setting::with(&upstream.with_tickets().closing_each_time(), POLICY, |config| config);
        for turn in 0..30 {
            let (who, owed) = WHO[turn % WHO.len()];
            let seen = setting.get("/dogs/anything").key(who).send();
            assert_eq!((seen.status, seen.common_name()), (200, Some(owed)), "turn {turn}");
        }
    }
}

fn permutations([a, b, c]: [&'static str; 3]) -> [[&'static str; 3]; 6] {
    [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
}
