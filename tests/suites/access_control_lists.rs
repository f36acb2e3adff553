//! Kong's acl plugin and the groups of a policy.

use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::{Setting, needs, tests};

tests![
    acl_denies_by_the_policys_groups,
    acl_knows_the_policys_groups_or_its_setting_is_documented,
    acl_knows_no_groups_of_a_consumer_whom_another_has_replaced,
];

/// Groups of the policy's consumers, of whom Kong has no entities.
fn acl_knows_the_policys_groups_or_its_setting_is_documented() {
    let setting = with_acls();
    let status = |route: &str, who: &str| setting.get(&format!("/{route}/anything")).key(who).send().status;
    assert_eq!(["ann", "vet"].map(|who| status("always", who)), [403, 200]);
    // Without `always_use_authenticated_groups` acl looks for groups in Kong alone, once there is a credential.
    let without = ["ann", "vet"].map(|who| status("vets", who));
    let documented = include_str!("../../docs/kong.md").contains("always_use_authenticated_groups");
    assert!(
        without == [403, 200] || without == [403, 403] && documented,
        "without the setting: {without:?}; it is {}documented in docs/kong.md",
        if documented { "" } else { "not " }
    );
}

fn acl_denies_by_the_policys_groups() {
    let setting = with_acls();
    let status = |who: &str| setting.get("/no-vets/anything").key(who).send().status;
    assert_eq!(["ann", "vet"].map(status), [200, 403]);
}

/// basic-auth authenticates carol after the policy has found a consumer. She is in the group `cats` of Kong's own.
fn acl_knows_no_groups_of_a_consumer_whom_another_has_replaced() {
    let setting = with_acls();
    // carol:cat
    let basic = "Basic Y2Fyb2w6Y2F0";
    let mut got = Vec::new();
    for route in ["no-cats", "only-guests", "only-cats"] {
        for who in [None, Some("ann")] {
            let mut request = setting.get(&format!("/{route}/anything")).header("Authorization", basic);
            if let Some(who) = who {
                request = request.key(who);
            }
            got.push(request.send().status);
        }
    }
    assert_eq!(
        got,
        [403, 403, 403, 403, 200, 200],
        "without and with a key: no-cats, only-guests, only-cats"
    );
}

fn with_acls() -> Setting {
    needs(Ability::NamesConsumers);
    needs(Ability::KongsOwn);
    let policy = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, consumers: [\
        {username: ann, groups: [citizens], keys: [{id: '1', sha256: <ann>}]}, \
        {username: vet, groups: [vets], keys: [{id: '1', sha256: <vet>}]}]}}";
    let open = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, anonymous: guest, \
        consumers: [{username: guest, groups: [guests]}, \
        {username: ann, groups: [guests, citizens], keys: [{id: '1', sha256: <ann>}]}]}}, {name: basic-auth}";
    Setting::of(&format!(
        r#"_format_version: "3.0"
consumers:
- {{username: carol, basicauth_credentials: [{{username: carol, password: cat}}], acls: [{{group: cats}}]}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - {{name: vets, paths: [/vets], plugins: [{policy}, {{name: acl, config: {{allow: [vets]}}}}]}}
  - {{name: always, paths: [/always], plugins: [{policy}, {{name: acl, config: {{allow: [vets], always_use_authenticated_groups: true}}}}]}}
  - {{name: no-vets, paths: [/no-vets], plugins: [{policy}, {{name: acl, config: {{deny: [vets], always_use_authenticated_groups: true}}}}]}}
  - {{name: no-cats, paths: [/no-cats], plugins: [{open}, {{name: acl, config: {{deny: [cats], always_use_authenticated_groups: true}}}}]}}
  - {{name: only-guests, paths: [/only-guests], plugins: [{open}, {{name: acl, config: {{allow: [guests], always_use_authenticated_groups: true}}}}]}}
  - {{name: only-cats, paths: [/only-cats], plugins: [{open}, {{name: acl, config: {{allow: [cats], always_use_authenticated_groups: true}}}}]}}
"#,
        upstream_mtls("")
    ))
}
