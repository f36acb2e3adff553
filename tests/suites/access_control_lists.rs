//! Kong's acl plugin and the groups of a policy.

use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::{Setting, needs, tests};

tests![acl_denies_by_the_policys_groups, acl_knows_the_policys_groups_or_its_setting_is_documented];

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

fn with_acls() -> Setting {
    needs(Ability::NamesConsumers);
    needs(Ability::KongsOwn);
    let policy = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, consumers: [\
        {username: ann, groups: [citizens], keys: [{id: '1', sha256: <ann>}]}, \
        {username: vet, groups: [vets], keys: [{id: '1', sha256: <vet>}]}]}}";
    Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - {{name: vets, paths: [/vets], plugins: [{policy}, {{name: acl, config: {{allow: [vets]}}}}]}}
  - {{name: always, paths: [/always], plugins: [{policy}, {{name: acl, config: {{allow: [vets], always_use_authenticated_groups: true}}}}]}}
  - {{name: no-vets, paths: [/no-vets], plugins: [{policy}, {{name: acl, config: {{deny: [vets], always_use_authenticated_groups: true}}}}]}}
"#,
        upstream_mtls("")
    ))
}
