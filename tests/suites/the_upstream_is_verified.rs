//! The gateway speaks to nobody who cannot prove to be the upstream.

use harness::dogcatcher::Fault;
use harness::gateway::Ability;
use pki::{Authority, Ca, Leaf, Name, Validity};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use tests::config::{CA_FILE, from_files};
use tests::{Setting, needs, permutations, raw, tests};

tests![
    what_one_route_believes_is_nothing_to_its_neighbours,
    a_chain_that_one_route_finds_too_long_is_not_to_its_neighbour,
    an_upstream_without_a_name_but_its_subjects_hears_nothing,
    an_upstream_without_proof_hears_nothing,
    an_upstream_whose_name_is_of_another_kind_hears_nothing,
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
        ("its name as a URI", None, Leaf::server("x").known_as(Name::uri("https://localhost").unwrap())),
        ("its name in a wildcard", None, Leaf::server("x").reached_as("*.localhost".parse().unwrap())),
        (
            "its name within another",
            None,
            Leaf::server("x").reached_as("localhost.evil.example".parse().unwrap()),
        ),
        ("its name behind another", None, Leaf::server("x").reached_as("evil.localhost".parse().unwrap())),
        (
            "its name in other letters",
            None,
            Leaf::server("x").reached_as("xn--lcalhost-s2e.example,xn--localhst-66e".parse().unwrap()),
        ),
        ("its address", None, Leaf::server("x").reached_as("127.0.0.1".parse().unwrap())),
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

/// Names that no certificate of ours would have, so made by hand.
fn an_upstream_whose_name_is_of_another_kind_hears_nothing() {
    let text = |name: &str| Ia5String::try_from(name).unwrap();
    let rows = [
        ("an e-mail address", SanType::Rfc822Name(text("localhost"))),
        ("a URI", SanType::URI(text("localhost"))),
        ("a name with a NUL behind it", SanType::DnsName(text("localhost\0.evil.example"))),
        ("a name with a dot before it", SanType::DnsName(text(".localhost"))),
        ("all names", SanType::DnsName(text("*"))),
        ("a name with a space", SanType::DnsName(text("localhost "))),
        ("a name in a list", SanType::DnsName(text("evil.example,localhost"))),
    ];
    let setting = Setting::new(POLICY);
    let authority = setting.authority();
    let issuer = KeyPair::from_pem(&authority.key().pem()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&authority.pem(), issuer).unwrap();
    for (what, name) in rows {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let shown = params.signed_by(&key, &issuer).unwrap();
        setting.upstream_tls(|tls| (tls.chain, tls.key) = (shown.pem(), key.serialize_pem()));
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        assert_eq!(seen.status, 502, "{what}: {}", seen.text);
        assert_eq!(setting.requests_upstream(), 0, "{what}");
    }
}

fn an_upstream_without_a_name_but_its_subjects_hears_nothing() {
    needs(Ability::RefusesCommonNames);
    let setting = Setting::new(POLICY);
    let shown = setting.authority().issue(&Leaf::server("localhost")).unwrap();
    setting.upstream_tls(|tls| (tls.chain, tls.key) = (shown.chain_pem(), shown.key().pem()));
    let seen = setting.get("/dogs/anything").key("model-citizen").send();
    assert_eq!((seen.status, setting.requests_upstream()), (502, 0), "{}", seen.text);
}

fn an_upstream_that_talks_before_the_handshake_is_not_heard() {
    needs(Ability::RefusesEarlyPlaintext);
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

fn what_one_route_believes_is_nothing_to_its_neighbours() {
    let stranger = Authority::root(&Ca::named("a stranger's CA")).unwrap();
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
ca_certificates:
- {{id: {STRANGER}, cert: {}}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes:
  - {{name: own, paths: [/own], plugins: [{}]}}
  - {{name: strange, paths: [/strange], plugins: [{}]}}
  - {{name: careless, paths: [/careless], plugins: [{}]}}
"#,
        serde_json::to_string(&stranger.pem()).unwrap(),
        presenting(&format!("ca_file: {CA_FILE}")),
        presenting(&format!("ca_certificates: [{STRANGER}]")),
        presenting("tls_verify: false"),
    ));
    for order in permutations(&["/own", "/strange", "/careless"]) {
        for route in order.iter().chain(&order) {
            let owed = if *route == "/strange" { 502 } else { 200 };
            let answer = raw::get(setting.proxy(), &format!("{route}/anything"), &[]);
            assert_eq!(answer.status, owed, "{route} in {order:?}: {}", answer.body);
        }
    }
}

fn a_chain_that_one_route_finds_too_long_is_not_to_its_neighbour() {
    needs(Ability::BoundsChains);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes:
  - {{name: own, paths: [/own], plugins: [{}]}}
  - {{name: shallow, paths: [/shallow], plugins: [{}]}}
"#,
        presenting(&format!("ca_file: {CA_FILE}")),
        presenting(&format!("ca_file: {CA_FILE}, tls_verify_depth: 0")),
    ));
    let between = setting.authority().intermediate(&Ca::named("between")).unwrap();
    let shown =
        between.issue(&Leaf::server("dogcatcher-api").reached_as("localhost".parse().unwrap())).unwrap();
    setting.upstream_tls(|tls| (tls.chain, tls.key) = (shown.chain_pem(), shown.key().pem()));
    for (route, owed) in [("/own", 200), ("/shallow", 502), ("/own", 200), ("/shallow", 502)] {
        let answer = raw::get(setting.proxy(), &format!("{route}/anything"), &[]);
        assert_eq!(answer.status, owed, "{route}: {}", answer.body);
    }
}

/// The plugin with one client certificate, and what else.
fn presenting(trust: &str) -> String {
    let certificate = from_files("kong-client");
    format!(
        "{{name: upstream-mtls, config: {{client_certificates: [{certificate}], client_certificate: kong-client, {trust}}}}}"
    )
}

const STRANGER: &str = "5c0a5d2e-0000-4000-8000-000000000001";

const POLICY: &str = "client_certificate: kong-client";
