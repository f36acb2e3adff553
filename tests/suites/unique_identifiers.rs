//! What Kong's plugins tell consumers, credentials and responses apart by is unique.

use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::{Setting, lacks, needs, tests};

tests![
    cached_answer_belongs_to_one_client_certificate,
    consumers_with_one_id_are_rejected,
    credentials_with_one_id_have_their_own_rate_limits,
];

/// A key's id is unique within its consumer.
fn credentials_with_one_id_have_their_own_rate_limits() {
    needs(Ability::NamesConsumers);
    needs(Ability::KongsOwn);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: rate-limiting, config: {{hour: 2, policy: local, limit_by: credential}}}}
    - name: mtls-policy
      config:
        key_names: [X-API-Key]
        client_certificate: kong-client
        consumers:
        - {{username: ann, keys: [{{id: "1", sha256: <ann>}}, {{id: "2", sha256: <ann-two>}}]}}
        - {{username: vet, keys: [{{id: "1", sha256: <vet>}}]}}
"#,
        upstream_mtls("")
    ));
    let status = |who: &str| setting.get("/dogs/anything").key(who).send().status;
    for who in ["ann", "vet", "ann-two"] {
        assert_eq!([0, 1].map(|_| status(who)), [200, 200], "{who} is counted with another credential");
        // Kong counts a request after it, so that the limit may come a request late.
        setting.wait_until("the limit is reached", || status(who) == 429);
    }
}

/// Kong's plugins count, cache and log by the id.
fn consumers_with_one_id_are_rejected() {
    let id = "7c1e0000-0000-4000-8000-000000000001";
    let policy = format!(
        "client_certificate: kong-client
consumers:
- {{username: ann, id: {id}, keys: [{{id: '1', sha256: <ann>}}]}}
- {{username: vet, id: {id}, keys: [{{id: '2', sha256: <vet>}}]}}"
    );
    match Setting::try_new(&policy, "") {
        Err(refused) => {
            let refused = format!("{refused:#}");
            assert!(refused.contains("consumers[1].id"), "{refused}");
        }
        // Or the route is closed.
        Ok(setting) => {
            for who in ["ann", "vet"] {
                let seen = setting.get("/dogs/anything").key(who).send();
                assert_eq!(seen.status, 503, "{who}: {}", seen.text);
            }
            assert!(setting.log().contains("consumers[1].id"), "{}", setting.log());
        }
    }
}

/// One consumer, and a header by which a rule selects another certificate.
fn cached_answer_belongs_to_one_client_certificate() {
    needs(Ability::KongsOwn);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - name: dogs
    paths: [/dogs]
    plugins:
    - {{name: proxy-cache, config: {{strategy: memory, content_type: [application/json], cache_ttl: 300}}}}
    - name: mtls-policy
      config:
        key_names: [X-API-Key]
        client_certificate: kong-client
        consumers: [{{username: ann, keys: [{{id: "1", sha256: <ann>}}]}}]
        rules: [{{match: {{headers: {{x-role: [vet]}}}}, client_certificate: kong-vet}}]
"#,
        upstream_mtls("")
    ));
    let get = |role: &str| setting.get("/dogs/anything").key("ann").header("X-Role", role).send();
    if lacks(Ability::RunsFilters).is_none() {
        // Nothing has decided when the cache answers.
        for turn in 0..8 {
            let (role, expected) = [("citizen", "kong-client"), ("vet", "kong-vet")][turn % 2];
            let seen = get(role);
            assert!(
                seen.status == 503 || seen.common_name() == Some(expected),
                "turn {turn}, {role}: {:?} {}",
                seen.common_name(),
                seen.text
            );
        }
        return;
    }
    for (role, expected) in [("citizen", "kong-client"), ("vet", "kong-vet")] {
        let seen = get(role);
        let status = seen.answer_header("X-Cache-Status");
        assert_eq!((status, seen.common_name()), (Some("Miss"), Some(expected)), "{role}: {}", seen.text);
        setting.wait_until("it is cached", || get(role).answer_header("X-Cache-Status") == Some("Hit"));
    }
    for turn in 0..20 {
        let (role, expected) = [("citizen", "kong-client"), ("vet", "kong-vet")][turn % 2];
        let seen = get(role);
        let status = seen.answer_header("X-Cache-Status");
        assert_eq!((status, seen.common_name()), (Some("Hit"), Some(expected)), "turn {turn}, {role}");
    }
}
