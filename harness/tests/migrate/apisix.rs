//! From a standalone APISIX: documents, since no APISIX is tried here.

use pki::{Authority, Ca, Leaf};
use serde_json::{Value, json};

use crate::{migrate, of};

const OLD: &str = r#"
consumers:
- {username: ann, plugins: {key-auth: {key: ann-key}}}
- {username: vet, plugins: {key-auth: {key: vet-key}}}
upstreams:
- {id: 1, scheme: http, pass_host: node, nodes: {"api.example:8080": 1}}
services:
- {id: kennel, upstream_id: 1, plugins: {key-auth: {header: X-API-Key, query: X-API-Key, hide_credentials: true}}}
routes:
- {id: 1, uri: /dogs/*, service_id: kennel}
- {id: 2, uris: [/vets], methods: [GET, POST], hosts: [api.example], service_id: kennel, plugins: {consumer-restriction: {whitelist: [vet]}}}
- {id: 3, uri: /open, upstream: {nodes: [{host: b.example, port: 81, weight: 1}]}}
#END
"#;

fn new(text: &str) -> Value {
    kong_config::document::parse(text, &kong_config::document::Report::new(None)).unwrap().to_json()
}

#[test]
fn routes_consumers_and_upstreams_become_kongs() {
    let said = of(OLD, &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    let people = json!([
        {"username": "ann", "keys": [{"id": "1", "sha256": policy_tools::keys::digest("ann-key")}]},
        {"username": "vet", "keys": [{"id": "1", "sha256": policy_tools::keys::digest("vet-key")}]},
    ]);
    let policy = json!({"key_names": ["X-API-Key"], "hide_credentials": true, "consumers": people});
    let mut restricted = policy.clone();
    restricted["rules"] = json!([{"match": {"consumers": ["ann"]}, "deny": {"status": 403, "message": "The consumer_name is forbidden."}}]);
    let owed = json!({"_format_version": "3.0", "services": [
        {"name": "upstream-1", "protocol": "http", "host": "api.example", "port": 8080, "routes": [
            {"name": "1", "paths": ["/dogs/"], "strip_path": false, "plugins": [{"name": "mtls-policy", "config": policy}]},
            {"name": "2", "hosts": ["api.example"], "paths": ["~/vets$"], "methods": ["GET", "POST"], "strip_path": false,
             "plugins": [{"name": "mtls-policy", "config": restricted}]},
        ]},
        {"name": "upstream-3", "protocol": "http", "host": "b.example", "port": 81, "routes": [
            {"name": "3", "paths": ["~/open$"], "strip_path": false, "preserve_host": true},
        ]},
    ]});
    assert_eq!(new(&said.out), owed, "{}", said.out);
    assert!(!said.out.contains("-key\"") && !said.err.contains("ann-key"));
}

#[test]
fn private_keys_go_to_files_of_their_owner_and_nowhere_else() {
    let issued = Authority::root(&Ca::named("ca")).unwrap().issue(&Leaf::client("kong-client")).unwrap();
    let (chain, key) = (issued.chain_pem(), issued.key().pem());
    let quoted = |text: &str| Value::from(text).to_string();
    let tls = format!("tls: {{client_cert: {}, client_key: {}}}", quoted(&chain), quoted(&key));
    let by_id = format!(
        "{}ssls: [{{id: s, type: client, cert: {}, key: {}}}]\n",
        OLD.replace("scheme: http,", "scheme: https, tls: {client_cert_id: s},"),
        quoted(&chain),
        quoted(&key)
    );
    for old in [OLD.replace("scheme: http,", &format!("scheme: https, {tls},")), by_id.replace("#END\n", "")]
    {
        let said = of(&old, &[]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
        assert!(said.err.contains("--certificates DIR") && !said.err.contains("PRIVATE"), "{}", said.err);
        let directory = tempfile::tempdir().unwrap();
        let said = migrate(directory.path(), &[("old.yml", &old)], &["old.yml", "--certificates", "certs"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(!said.out.contains("PRIVATE") && !said.err.contains("PRIVATE"));
        let at = |name: &str| directory.path().join("certs").join(name);
        assert_eq!(std::fs::read_to_string(at("kong-client.crt")).unwrap(), chain);
        assert_eq!(std::fs::read_to_string(at("kong-client.key")).unwrap(), key);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&at("kong-client.key").metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let service = &new(&said.out)["services"][0];
        let held = &service["plugins"][0]["config"]["client_certificates"][0];
        assert_eq!(held["name"], "kong-client");
        assert!(held["key_file"].as_str().unwrap().ends_with("/certs/kong-client.key"), "{held}");
        assert_eq!(service["routes"][0]["plugins"][0]["config"]["client_certificate"], "kong-client");
        // What is there is not replaced.
        let again = migrate(directory.path(), &[], &["old.yml", "--certificates", "certs"]);
        assert!(again.code == 1 && again.out.is_empty(), "{}", again.err);
    }
}

#[test]
fn what_cannot_be_mapped_is_closed_and_what_is_for_everything_lets_nothing_out() {
    let rows = [
        ("service_id: kennel}\n", "service_id: kennel, vars: [[arg_a, '==', b]]}\n"),
        (
            "service_id: kennel}\n",
            "service_id: kennel, plugins: {ip-restriction: {whitelist: [127.0.0.1]}}}\n",
        ),
        ("uri: /dogs/*", "uri: /dogs/:id"),
        ("hide_credentials: true", "hide_credentials: true, anonymous_consumer: nobody"),
        ("whitelist: [vet]", "type: consumer_group_id, whitelist: [vet]"),
        ("pass_host: node", "pass_host: rewrite, upstream_host: c.example"),
        ("{\"api.example:8080\": 1}", "{\"api.example:8080\": 1, \"api.example:8081\": 1}"),
        ("{key: ann-key}", "{key: '$env://ANN'}"),
        ("{key-auth: {key: ann-key}}", "{key-auth: {key: ann-key}, limit-count: {count: 1}}"),
    ];
    for (from, to) in rows {
        assert!(OLD.contains(from), "{from}");
        let said = of(&OLD.replacen(from, to, 1), &[]);
        assert_eq!(said.code, 1, "{to}: {}", said.err);
        assert!(said.err.contains("not mapped\n"), "{to}: {}", said.err);
        let closed = said.out.contains("config: {}") && said.err.contains("closed to everybody");
        assert!(closed || to.contains("key-auth") || to.contains("$env"), "{to}: {}{}", said.out, said.err);
        assert!(!said.out.contains(&policy_tools::keys::digest("ann-key")) || closed, "{to}: {}", said.out);
    }
    for more in [
        "global_rules: [{id: 1, plugins: {ip-restriction: {whitelist: [127.0.0.1]}}}]",
        "ssls: [{id: 1, sni: a, client: {ca: x}}]",
    ] {
        let said = of(&OLD.replace("#END", more), &[]);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    }
    let open = OLD
        .replace("plugins: {key-auth: {header: X-API-Key, query: X-API-Key, hide_credentials: true}}", "")
        .replace(", plugins: {consumer-restriction: {whitelist: [vet]}}", "");
    assert_eq!(of(&open, &[]).code, 2);
}
