//! No request rides a connection, or resumes a session, of another identity.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use harness::dogcatcher::{ClientCertificate, Fault, Sessions, Versions};
use tests::{Setting, tests};

tests![
    ten_thousand_interleaved_requests_ride_connections_of_their_own_identity,
    every_order_of_two_identities_and_none_stays_right_on_each_tls_version,
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

fn every_order_of_two_identities_and_none_stays_right_on_each_tls_version() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let setting = Setting::with_routes("anonymous: guest\nclient_certificate: kong-client", ROUTES);
        setting.upstream_tls(|tls| {
            tls.versions = versions;
            tls.client_certificate = ClientCertificate::Asked;
        });
        let owed = |route: &str| match route {
            "/dogs" => Some("kong-client"),
            "/vets" => Some("kong-vet"),
            _ => None,
        };
        for order in permutations(["/dogs", "/vets", "/none"]) {
            // Twice, so that the second round finds every pool warm.
            for route in order.iter().chain(&order) {
                let seen = setting.get(&format!("{route}/anything")).send();
                assert_eq!((seen.status, seen.common_name()), (200, owed(route)), "{route} in {order:?}");
            }
        }
    }
}

fn a_session_is_resumed_by_its_own_identity_only() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let setting = Setting::new(POLICY);
        setting.upstream_tls(|tls| {
            tls.versions = versions;
            tls.sessions = Sessions::Tickets;
        });
        // Every request is a handshake of its own.
        setting.upstream().set_fault(Fault::CloseAfter(1));
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

/// One without a policy and so without a certificate, and one with another certificate.
const ROUTES: &str = "  - name: none
    paths: [/none]
  - name: vets
    paths: [/vets]
    plugins:
    - name: mtls-policy
      config: {consumers: [{username: guest}], anonymous: guest, client_certificate: kong-vet}
";

fn permutations([a, b, c]: [&'static str; 3]) -> [[&'static str; 3]; 6] {
    [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
}
