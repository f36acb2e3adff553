//! The gateway speaks to nobody who cannot prove to be the upstream.

use harness::dogcatcher::Fault;
use harness::pki::{Authority, Ca, Leaf, Validity};
use tests::{Setting, tests};

tests![
    an_upstream_without_proof_hears_nothing,
    an_upstream_that_talks_before_the_handshake_is_not_heard,
    trust_that_is_taken_away_counts_for_warm_connections_too,
];

fn an_upstream_without_proof_hears_nothing() {
    let stranger = Authority::root(&Ca::named("a stranger's CA")).unwrap();
    let named = |leaf: Leaf| leaf.reached_as("localhost".parse().unwrap());
    // What is wrong with the server's certificate, and the certificate; `None`: signed by the stack's own CA.
    let rows = [
        ("signed by another CA", Some(&stranger), named(Leaf::server("dogcatcher-api"))),
        ("another name", None, Leaf::server("localhost").reached_as("cats.example".parse().unwrap())),
        ("no name but the subject's", None, Leaf::server("localhost")),
        ("a client's certificate", None, named(Leaf::client("localhost"))),
        ("expired", None, named(Leaf::server("localhost")).valid(Validity::expired())),
        ("not valid yet", None, named(Leaf::server("localhost")).valid(Validity::not_yet())),
    ];
    for (what, authority, leaf) in rows {
        let setting = Setting::new(POLICY);
        let shown = authority.unwrap_or(setting.authority()).issue(&leaf).unwrap();
        setting.upstream_tls(|tls| (tls.chain, tls.key) = (shown.chain_pem(), shown.key().pem()));
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        assert_eq!(seen.status, 502, "{what}: {}", seen.text);
        assert_eq!(setting.requests_upstream(), 0, "{what}");
    }
}

fn an_upstream_that_talks_before_the_handshake_is_not_heard() {
    let setting = Setting::new(POLICY);
    setting.upstream().set_fault(Fault::SpeakHttpFirst);
    let seen = setting.get("/dogs/anything").key("model-citizen").send();
    assert_eq!(seen.status, 502, "{}", seen.text);
}

fn trust_that_is_taken_away_counts_for_warm_connections_too() {
    let setting = Setting::new(POLICY);
    assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().status, 200);
    let stranger = Authority::root(&Ca::named("a stranger's CA")).unwrap();
    setting.trust(&stranger);
    setting.wait_until("the upstream is not trusted any more", || {
        setting.get("/dogs/anything").key("model-citizen").send().status == 502
    });
    setting.trust_own();
    setting.wait_until("the upstream is trusted again", || {
        setting.get("/dogs/anything").key("model-citizen").send().status == 200
    });
}

const POLICY: &str = "client_certificate: kong-client";
