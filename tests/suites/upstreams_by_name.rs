//! An upstream is known by the names that the config gives, and where it must ask for a client certificate, it does.

use harness::dogcatcher::ClientCertificate;
use harness::gateway::Ability;
use pki::{Leaf, Name};
use tests::config::{CA_FILE, from_files};
use tests::{Setting, lacks, needs, raw, tests};

tests![
    an_upstream_with_a_uri_alone_is_known_by_it_and_by_nothing_else,
    an_upstream_that_stops_asking_for_a_certificate_is_refused,
    a_gateway_that_cannot_check_refuses_the_option,
];

fn an_upstream_with_a_uri_alone_is_known_by_it_and_by_nothing_else() {
    needs(Ability::ChecksNames);
    let setting = with("upstream_names: [\"spiffe://example.org/ns/pets/sa/dogcatcher\", dogs.example]");
    let show = |leaf: Leaf| {
        let issued = setting.authority().issue(&leaf).unwrap();
        setting.upstream_tls(|tls| (tls.chain, tls.key) = (issued.chain_pem(), issued.key().pem()));
    };
    let uri = |uri: &str| Leaf::server("dogcatcher").known_as(Name::uri(uri).unwrap());
    let dns = |name: &str| Leaf::server("dogcatcher").reached_as(name.parse().unwrap());
    for (what, leaf, owed) in [
        ("its workload", uri("spiffe://example.org/ns/pets/sa/dogcatcher"), 200),
        ("another workload", uri("spiffe://example.org/ns/pets/sa/cats"), 502),
        ("a workload below it", uri("spiffe://example.org/ns/pets/sa/dogcatcher/b"), 502),
        ("another trust domain", uri("spiffe://example.com/ns/pets/sa/dogcatcher"), 502),
        ("the second name", dns("dogs.example"), 200),
        ("the host, which counts no more", dns("localhost"), 502),
        ("its URI as a common name", Leaf::server("spiffe://example.org/ns/pets/sa/dogcatcher"), 502),
    ] {
        show(leaf);
        // What was connected before belongs to who it was then: connections of its own, under another config.
        setting
            .reconfigure_to(&config(&format!(
                "upstream_names: [\"spiffe://example.org/ns/pets/sa/dogcatcher\", dogs.example, \"urn:{}\"]",
                what.len()
            )))
            .unwrap();
        let answer = raw::get(setting.proxy(), "/dogs/anything", &[]);
        assert_eq!(answer.status, owed, "{what}: {}", answer.body);
    }
}

fn an_upstream_that_stops_asking_for_a_certificate_is_refused() {
    needs(Ability::SeesRequests);
    let setting = with("require_certificate_request: true");
    assert_eq!(raw::get(setting.proxy(), "/dogs/anything", &[]).status, 200);
    setting.upstream_tls(|tls| tls.client_certificate = ClientCertificate::NotAsked);
    // Nothing of it reaches the upstream; the connection that was made before was asked.
    setting
        .reconfigure_to(&config("require_certificate_request: true, upstream_names: [localhost]"))
        .unwrap();
    let heard = setting.requests_upstream();
    assert_eq!(raw::get(setting.proxy(), "/dogs/anything", &[]).status, 502);
    assert_eq!(setting.requests_upstream(), heard);
    assert!(setting.log().contains("asks for no client certificate"), "{}", setting.log());
    setting.reconfigure_to(&config("require_certificate_request: false")).unwrap();
    assert_eq!(raw::get(setting.proxy(), "/dogs/anything", &[]).status, 200);
}

fn a_gateway_that_cannot_check_refuses_the_option() {
    for (ability, option, value) in [
        (Ability::ChecksNames, "upstream_names", "[\"spiffe://example.org/a\"]"),
        (Ability::SeesRequests, "require_certificate_request", "true"),
    ] {
        if lacks(ability).is_none() {
            continue;
        }
        let Err(refused) = Setting::up(&config(&format!("{option}: {value}")), &[]) else {
            panic!("{option} is taken");
        };
        let refused = format!("{refused:#}");
        assert!(refused.contains(option) && refused.contains("not supported on"), "{refused}");
    }
}

fn with(more: &str) -> Setting {
    Setting::of(&config(more))
}

fn config(more: &str) -> String {
    let certificate = from_files("kong-client");
    format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  routes: [{{name: dogs, paths: [/dogs]}}]
  plugins:
  - name: upstream-mtls
    config: {{client_certificates: [{certificate}], client_certificate: kong-client, ca_file: {CA_FILE}, {more}}}
"#
    )
}
