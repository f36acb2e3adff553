//! What is broken never replaces what works, and touches nothing but itself.

use harness::gateway::Ability;
use tests::config::{CA_FILE, from_files};
use tests::{Setting, lacks, needs, raw, skip, tests};

tests![
    one_bad_certificate_beside_good_ones_is_missed_by_nobody_else,
    a_broken_pair_leaves_the_one_before_in_force_and_the_others_alone,
    a_refused_config_leaves_the_one_before_in_force,
    a_gateway_that_nobody_has_asked_anything_refuses_a_bad_config_too,
    an_invalid_policy_closes_its_route_where_no_last_one_is_kept,
];

fn a_broken_pair_leaves_the_one_before_in_force_and_the_others_alone() {
    let setting = Setting::new(
        "client_certificate: kong-client
rules:
- match: {groups: [vets]}
  client_certificate: kong-vet",
    );
    let good = setting.fingerprint("kong-client");
    let (chain, key) = setting.issue("kong-client");
    let (_, other_key) = setting.issue("kong-client");
    let half = &chain[..chain.len() / 2];
    let broken = [
        ("garbage", "not a certificate", "not a key"),
        ("half written", half, &key),
        ("another's key", &chain, &other_key),
        ("no key", &chain, ""),
        ("empty", "", ""),
    ];
    for (what, chain, key) in broken {
        setting.put("kong-client", chain, key);
        setting.wait_until("the broken pair is reported", || setting.log().contains("kong-client"));
        // The other's rotation is proof that the files were looked at since.
        setting.replace("kong-vet", |leaf| leaf);
        setting.wait_until("the other certificate rotates", || {
            let seen = setting.get("/dogs/anything").key("vet").send();
            seen.fingerprint() == Some(setting.fingerprint("kong-vet"))
        });
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        assert_eq!((seen.status, seen.fingerprint()), (200, Some(good.clone())), "{what}");
    }
    setting.put("kong-client", &chain, &key);
    setting.wait_until("a good pair takes over again", || {
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        seen.status == 200 && seen.fingerprint() != Some(good.clone())
    });
}

fn a_refused_config_leaves_the_one_before_in_force() {
    needs(Ability::KeepsLastPolicy);
    let setting = Setting::new("client_certificate: kong-client");
    let served_as = || {
        let seen = setting.get("/dogs/anything").key("model-citizen").send();
        seen.common_name().map(str::to_owned)
    };
    assert_eq!(served_as().as_deref(), Some("kong-client"));
    let bad = ["key_nmaes: [x]", "rules: [{match: {methods: [PSOT]}, client_certificate: kong-vet}]"];
    for bad in bad {
        let outcome = setting.reconfigure(&format!("client_certificate: kong-client\n{bad}"));
        let refusal = format!("{:#}", outcome.expect_err(bad));
        let log = setting.log();
        let told = |word: &str| refusal.contains(word) || log.contains(word);
        assert!(told("key_nmaes") || told("PSOT"), "{bad}: {refusal}");
        for _ in 0..10 {
            assert_eq!(served_as().as_deref(), Some("kong-client"), "{bad}");
            assert_eq!(raw::get(setting.proxy(), "/dogs/anything", &[]).status, 401, "{bad}");
        }
    }

    setting.reconfigure("client_certificate: kong-vet").unwrap();
    assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().common_name(), Some("kong-vet"));
}

/// Each of its workers: a filter knows only what its own worker was asked.
fn a_gateway_that_nobody_has_asked_anything_refuses_a_bad_config_too() {
    needs(Ability::KeepsLastPolicy);
    let setting = Setting::new("client_certificate: kong-client");
    let bad =
        "client_certificate: kong-client\nrules: [{match: {methods: [PSOT]}, client_certificate: kong-vet}]";
    setting.reconfigure(bad).expect_err(bad);
    for _ in 0..20 {
        assert_eq!(raw::get(setting.proxy(), "/dogs/anything", &[]).status, 401);
    }
}

/// Every other change takes effect.
fn an_invalid_policy_closes_its_route_where_no_last_one_is_kept() {
    if lacks(Ability::KeepsLastPolicy).is_none() {
        skip("this gateway keeps the last good policy");
    }
    let good = anyone_as("kong-client");
    let config = |first: &str, second: &str| {
        let certificates = ["kong-client", "kong-vet"].map(from_files).join(", ");
        format!(
            r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins:
  - {{name: upstream-mtls, config: {{client_certificates: [{certificates}], ca_file: {CA_FILE}}}}}
  routes:
  - {{name: first, paths: [/first], plugins: [{first}]}}
  - {{name: second, paths: [/second], plugins: [{second}]}}
"#
        )
    };
    let setting = Setting::of(&config(&good, &good));
    let status = |route: &str| raw::get(setting.proxy(), &format!("/{route}/anything"), &[]).status;
    assert_eq!((status("first"), status("second")), (200, 200));

    let invalid = "{name: mtls-policy, config: {anonymous: guest, client_certificate: kong-client,
                    rules: [{match: {groups: [nobody-is-in-it]}, client_certificate: kong-vet}]}}";
    let denied = "{name: mtls-policy, config: {anonymous: guest, rules: [{match: {}, deny: {}}]}}";
    let problem = format!("{:#}", setting.reconfigure_to(&config(invalid, denied)).expect_err("invalid"));
    assert!(problem.contains("rules[0].match.groups[0]"), "{problem}");
    for _ in 0..20 {
        assert_eq!((status("first"), status("second")), (503, 403));
    }
    assert!(setting.log().contains("the policy is invalid: rules[0].match.groups[0]"));

    setting.reconfigure_to(&config(&good, &good)).unwrap();
    for _ in 0..20 {
        assert_eq!((status("first"), status("second")), (200, 200));
    }
}

fn one_bad_certificate_beside_good_ones_is_missed_by_nobody_else() {
    let good = from_files("kong-client");
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins:
  - name: upstream-mtls
    config:
      client_certificates:
      - {good}
      - {{name: absent, cert_file: /nowhere/tls.crt, key_file: /nowhere/tls.key}}
      - {{name: mixed-up, cert_file: /etc/secrets/kong-vet/tls.crt, key_file: /etc/secrets/kong-intern/tls.key}}
      ca_file: {CA_FILE}
  routes:
  - {{name: good, paths: [/good], plugins: [{}]}}
  - {{name: absent, paths: [/absent], plugins: [{}]}}
  - {{name: mixed-up, paths: [/mixed-up], plugins: [{}]}}
"#,
        anyone_as("kong-client"),
        anyone_as("absent"),
        anyone_as("mixed-up")
    ));
    for _ in 0..10 {
        for (route, owed) in [("good", 200), ("absent", 503), ("mixed-up", 503)] {
            let answer = raw::get(setting.proxy(), &format!("/{route}/anything"), &[]);
            assert_eq!(answer.status, owed, "{route}: {}", answer.body);
        }
    }
    assert_eq!(setting.requests_upstream(), 10);
    let log = setting.log();
    assert!(log.contains("/nowhere/tls.crt"), "the absent pair is not named:\n{log}");
    assert!(log.contains("kong-intern/tls.key"), "the pair that does not match is not named:\n{log}");
}

/// A policy that lets anyone in.
fn anyone_as(certificate: &str) -> String {
    format!(
        "{{name: mtls-policy, config: {{consumers: [{{username: guest}}], anonymous: guest, client_certificate: {certificate}}}}}"
    )
}
