//! Placeholders in the place of keys, in every configuration that is migrated.

use crate::of;

/// A placeholder as it is written in YAML, its text, and how the report names it.
const PLACEHOLDERS: [(&str, &str, &str); 20] = [
    ("$SERVICE_KEY", "$SERVICE_KEY", "$NAME"),
    ("'${SERVICE_KEY}'", "${SERVICE_KEY}", "${NAME}"),
    ("'${SERVICE_KEY:-letmein}'", "${SERVICE_KEY:-letmein}", "${NAME}"),
    ("'${env:SERVICE_KEY}'", "${env:SERVICE_KEY}", "${NAME}"),
    ("'{{SERVICE_KEY}}'", "{{SERVICE_KEY}}", "{{ … }}"),
    ("\"{{ .Values.serviceKey }}\"", "{{ .Values.serviceKey }}", "{{ … }}"),
    ("$(SERVICE_KEY)", "$(SERVICE_KEY)", "$(NAME)"),
    ("'%SERVICE_KEY%'", "%SERVICE_KEY%", "%NAME%"),
    ("<KEY>", "<KEY>", "<NAME>"),
    ("'{env.SERVICE_KEY}'", "{env.SERVICE_KEY}", "{NAME}"),
    ("'{vault://env/service-key}'", "{vault://env/service-key}", "{vault://…}"),
    ("$env://SERVICE_KEY", "$env://SERVICE_KEY", "NAME://…"),
    ("op://prod/service/key", "op://prod/service/key", "NAME://…"),
    ("'@SERVICE_KEY@'", "@SERVICE_KEY@", "@NAME@"),
    (
        "'ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]'",
        "ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]",
        "ENC[…]",
    ),
    ("DECK_SERVICE_KEY", "DECK_SERVICE_KEY", "DECK_NAME"),
    ("'${{ env \"DECK_SERVICE_KEY\" }}'", "${{ env \"DECK_SERVICE_KEY\" }}", "${{ … }}"),
    // decK replaces these before the text is YAML, which it is not as it stands here.
    ("\"${{ env \"DECK_SERVICE_KEY\" }}\"", "${{ env \"DECK_SERVICE_KEY\" }}", "${{ … }}"),
    ("${{ env \"DECK_SERVICE_KEY\" }}", "${{ env \"DECK_SERVICE_KEY\" }}", "${{ … }}"),
    ("\"prod-${{ env \"DECK_SERVICE_KEY\" }}\"", "prod-${{ env \"DECK_SERVICE_KEY\" }}", "${{ … }}"),
];

/// A config of Kong, APISIX and Envoy each: `KEY` is a credential's, beside one that is a key.
const CONFIGS: [(&str, &str); 4] = [
    (
        "Kong, nested",
        "_format_version: '3.0'
consumers:
- {username: ann, id: 33333333-3333-4333-8333-333333333331, keyauth_credentials: [{id: a, key: KEY}]}
- {username: ben, id: 33333333-3333-4333-8333-333333333332, keyauth_credentials: [{id: b, key: a-real-key}]}
services: [{name: s, url: http://api.example, routes: [{name: r, paths: [/r], plugins: [{name: key-auth}]}]}]
",
    ),
    (
        "Kong, beside consumers",
        "_format_version: '3.0'
consumers: [{username: ann, id: 33333333-3333-4333-8333-333333333331}, {username: ben, id: 33333333-3333-4333-8333-333333333332}]
keyauth_credentials:
- {id: a, consumer: ann, key: KEY}
- {id: b, consumer: ben, key: a-real-key}
services: [{name: s, url: http://api.example, routes: [{name: r, paths: [/r], plugins: [{name: key-auth}]}]}]
",
    ),
    (
        "APISIX",
        "consumers:
- {username: ann, plugins: {key-auth: {key: KEY}}}
- {username: ben, plugins: {key-auth: {key: a-real-key}}}
routes:
- {id: 1, uri: /r, plugins: {key-auth: {}}, upstream: {nodes: {'api.example:80': 1}}}
",
    ),
    (
        "Envoy",
        "static_resources:
  listeners:
  - name: l
    filter_chains:
    - filters:
      - name: m
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          http_filters:
          - name: k
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
              key_sources: [{header: X-API-Key}]
              credentials:
              - {client: ann, key: KEY}
              - {client: ben, key: a-real-key}
          - name: router
            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: v, domains: ['*'], routes: [{match: {prefix: /r}, route: {cluster: c}}]}
  clusters:
  - name: c
    load_assignment:
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: api.example, port_value: 80}}}}]}]
",
    ),
];

#[test]
fn a_placeholder_is_left_out_and_reported() {
    let real = policy_tools::keys::digest("a-real-key");
    for (source, config) in CONFIGS {
        let complete = of(&config.replace("KEY}", "another-key}"), &[]);
        assert_eq!(complete.code, 0, "{source}: {}", complete.err);
        assert!(
            complete.out.contains(&policy_tools::keys::digest("another-key")),
            "{source}: {}",
            complete.out
        );
        for (written, text, name) in PLACEHOLDERS {
            let said = of(&config.replace("KEY}", &format!("{written}}}")), &[]);
            assert_eq!(said.code, 1, "{source}: {written}: {}", said.err);
            let message = format!("a placeholder ({name}) is written instead of a key of \"ann\"");
            assert!(said.err.contains(&message), "{source}: {written}: {}", said.err);
            assert!(
                !said.out.contains(&policy_tools::keys::digest(text)),
                "{source}: {written}: {}",
                said.out
            );
            assert!(said.out.contains(&real), "{source}: {written}: {}", said.out);
            // It may hold a default value.
            assert!(!said.err.contains("letmein"), "{source}: {written}: {}", said.err);
        }
    }
}

#[test]
fn templates_elsewhere_stay_as_deck_reads_them() {
    let old = "_format_version: '3.0'
_info: {select_tags: [a]}
services:
- name: s
  url: \"${{ env \"DECK_URL\" }}\"
  routes:
  - name: r
    paths: [/r]
    plugins: [{name: key-auth}]
  plugins:
  - {name: http-log, config: {http_endpoint: '${{ env \"DECK_LOG\" }}', headers: {Note: \"it's ${{ env \"DECK_NOTE\" }}\"}}}
";
    let said = of(old, &["--from", "deck"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for expected in [
        "url: '${{ env \"DECK_URL\" }}'",
        "http_endpoint: '${{ env \"DECK_LOG\" }}'",
        "Note: \"it's ${{ env \"DECK_NOTE\" }}\"",
    ] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
}

#[test]
fn kubernetes_manifests_are_rejected_with_what_to_do() {
    let plugin =
        "apiVersion: configuration.konghq.com/v1\nkind: KongPlugin\nmetadata: {name: k}\nplugin: key-auth\n";
    for manifests in [plugin.to_owned(), format!("{plugin}---\n{plugin}")] {
        let said = of(&manifests, &[]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
        assert!(
            said.err.contains("Kubernetes manifests cannot be migrated") && said.err.contains("/config"),
            "{}",
            said.err
        );
    }
}
