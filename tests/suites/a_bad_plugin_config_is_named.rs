//! A config of upstream-mtls that cannot be meant is refused, and what is wrong with it is named.

use harness::gateway::Ability;
use tests::config::{CA_FILE, from_files};
use tests::{Setting, lacks, tests};

tests![
    each_mistake_is_named_and_nothing_is_served,
    what_time_alone_makes_wrong_is_logged_and_refused_by_itself
];

fn each_mistake_is_named_and_nothing_is_served() {
    let good = from_files("kong-client");
    let trusted = format!("ca_file: {CA_FILE}");
    // What is wrong, the config, and what its refusal has to name.
    let mut rows = vec![
        ("a name twice", format!("client_certificates: [{good}, {good}], {trusted}"), "kong-client"),
        (
            "no such name",
            format!("client_certificates: [{good}], client_certificate: kong-vet, {trusted}"),
            "kong-vet",
        ),
        ("no source", format!("client_certificates: [{{name: bare}}], {trusted}"), "cert_file"),
        (
            "two sources",
            format!(
                "client_certificates: [{{name: two, cert_file: /nowhere/a, key_file: /nowhere/b, cert: c, key: d}}], {trusted}"
            ),
            "cert_file",
        ),
        (
            "half a pair",
            format!("client_certificates: [{{name: half, cert_file: /nowhere/a}}], {trusted}"),
            "key_file",
        ),
        (
            "a name with a space",
            format!(
                "client_certificates: [{{name: a b, cert_file: /nowhere/a, key_file: /nowhere/b}}], {trusted}"
            ),
            "name",
        ),
        (
            "a name with a letter that looks like another",
            format!(
                "client_certificates: [{{name: \"kong-\\u0441lient\", cert_file: /nowhere/a, key_file: /nowhere/b}}], {trusted}"
            ),
            "name",
        ),
        (
            "a CA for nothing",
            format!("client_certificates: [{good}], tls_verify: false, {trusted}"),
            "tls_verify",
        ),
        (
            "a depth below zero",
            format!("client_certificates: [{good}], tls_verify_depth: -1, {trusted}"),
            "tls_verify_depth",
        ),
        (
            "lists that nobody looks at",
            format!("client_certificates: [{good}], tls_verify: false, crl_file: /nowhere/a"),
            "crl_file",
        ),
        (
            "a warning after the end",
            format!("client_certificates: [{good}], expiry_warning: -1, {trusted}"),
            "expiry_warning",
        ),
        (
            "no interval",
            format!("client_certificates: [{good}], reload_interval: 0, {trusted}"),
            "reload_interval",
        ),
        (
            "an unknown field",
            format!("client_certificates: [{good}], reload_intervall: 1, {trusted}"),
            "reload_intervall",
        ),
    ];
    if lacks(Ability::KongsOwn).is_some() {
        // Kong reads YAML by C's strings, which end there: the plugin hears of a name without it.
        let nul = format!(
            "client_certificates: [{{name: \"kong-client\\0\", cert_file: /nowhere/a, key_file: /nowhere/b}}], {trusted}"
        );
        rows.push(("a name with a NUL", nul, "name"));
    }
    let setting = Setting::of(&config(&format!(
        "client_certificates: [{good}], client_certificate: kong-client, {trusted}"
    )));
    for (what, wrong, named) in rows {
        let refusal = match setting.reconfigure_to(&config(&wrong)) {
            Err(refusal) => format!("{refusal:#}"),
            Ok(()) => panic!("{what} was accepted"),
        };
        assert!(refusal.contains(named), "{what}: {named} is not in: {refusal}");
        assert!(!refusal.contains("PRIVATE KEY"), "{what}");
        assert_eq!(setting.get("/dogs/anything").send().common_name(), Some("kong-client"), "{what}");
    }
    let (chain, _) = setting.issue("mixed-up");
    let (_, key) = setting.issue("mixed-up");
    let [chain, key] = [chain, key].map(|pem| serde_json::to_string(&pem).unwrap());
    let mixed_up = format!("client_certificates: [{{name: mixed-up, cert: {chain}, key: {key}}}], {trusted}");
    let refusal = format!("{:#}", setting.reconfigure_to(&config(&mixed_up)).unwrap_err());
    assert!(refusal.contains("key") && !refusal.contains("PRIVATE KEY"), "{refusal}");
}

/// Otherwise a certificate that has expired would keep a gateway from starting.
fn what_time_alone_makes_wrong_is_logged_and_refused_by_itself() {
    let certificates = ["kong-client", "kong-vet", "kong-intern"].map(from_files).join(", ");
    let setting = Setting::of(&config(&format!(
        "client_certificates: [{certificates}], client_certificate: kong-client, ca_file: {CA_FILE}, reload_interval: 0.1"
    )));
    assert_eq!(setting.get("/dogs/anything").send().status, 200);
    let times = || setting.log().matches("expired").count();
    setting.replace("kong-vet", |leaf| leaf.valid(pki::Validity::expired()));
    setting.wait_until("the expired certificate is logged", || times() > 0);
    setting.replace("kong-intern", |leaf| leaf.valid(pki::Validity::not_yet()));
    setting.wait_until("the early one is logged", || setting.log().contains("not valid before"));
    assert_eq!(setting.get("/dogs/anything").send().common_name(), Some("kong-client"));
}

fn config(of_the_plugin: &str) -> String {
    format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{{name: upstream-mtls, config: {{{of_the_plugin}}}}}]
  routes:
  - {{name: dogs, paths: [/dogs]}}
"#
    )
}
