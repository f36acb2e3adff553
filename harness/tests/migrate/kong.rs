//! What becomes of a Kong's config.

use serde_json::{Value, json};

use crate::said::Said;
use crate::{migrate, of};

/// A config of one service with one route each of these plugins, and what else it is to have.
fn config(plugins: &[&str], more: &str) -> String {
    let routes: String = plugins
        .iter()
        .enumerate()
        .map(|(number, plugins)| {
            format!("  - {{name: r{number}, paths: [/r{number}], plugins: [{plugins}]}}\n")
        })
        .collect();
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://api.example\n  routes:\n{routes}{more}"
    )
}

const PEOPLE: &str = "consumers:
- {username: ann, id: 33333333-3333-4333-8333-333333333331, acls: [{group: vets}], keyauth_credentials: [{id: a, key: ann-key}]}
- {username: ben, id: 33333333-3333-4333-8333-333333333332, keyauth_credentials: [{id: b, key: ben-key}, {id: c, key: ben-second}]}
- {username: guest, id: 33333333-3333-4333-8333-333333333333}
";

/// The new config.
fn new(said: &Said) -> Value {
    let report = kong_config::document::Report::new(None);
    kong_config::document::parse(&said.out, &report).unwrap_or_else(|| panic!("{}", said.err)).to_json()
}

/// The policy on a route.
fn policy(new: &Value, route: usize) -> Value {
    new["services"][0]["routes"][route]["plugins"][0]["config"].clone()
}

#[test]
fn each_option_of_key_auth_is_the_policys_and_what_is_as_usual_is_left_out() {
    let rows = [
        ("{name: key-auth}", json!({})),
        ("{name: key-auth, config: {}}", json!({})),
        (
            "{name: key-auth, config: {key_names: [apikey], key_in_header: true, key_in_query: true, key_in_body: false, \
             hide_credentials: false, run_on_preflight: true, realm: null, anonymous: null}}",
            json!({}),
        ),
        (
            "{name: key-auth, config: {key_names: [X-API-Key, apikey], key_in_query: false, hide_credentials: true, \
             run_on_preflight: false, realm: dogs, anonymous: guest}}",
            json!({"key_names": ["X-API-Key", "apikey"], "key_in_query": false, "hide_credentials": true,
                   "run_on_preflight": false, "realm": "dogs", "anonymous": "guest"}),
        ),
        (
            "{name: key-auth, config: {anonymous: 33333333-3333-4333-8333-333333333333, key_in_header: false}}",
            json!({"key_in_header": false, "anonymous": "guest"}),
        ),
    ];
    for (plugin, owed) in rows {
        let said = of(&config(&[plugin, "{name: key-auth, config: {realm: another}}"], PEOPLE), &[]);
        assert_eq!(said.code, 0, "{plugin}: {}", said.err);
        let mut came = policy(&new(&said), 0);
        came.as_object_mut().unwrap().remove("consumers");
        assert_eq!(came, owed, "{plugin}");
    }
}

#[test]
fn consumers_come_with_their_ids_groups_and_digests_and_keys_do_not() {
    let said = of(&config(&["{name: key-auth}"], PEOPLE), &["--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let new = new(&said);
    // All routes of the service have it.
    let policy = &new["services"][0]["plugins"][0]["config"];
    let digest = |key: &str| policy_tools::keys::digest(key);
    assert_eq!(
        policy["consumers"],
        json!([
            {"username": "ann", "id": "33333333-3333-4333-8333-333333333331", "groups": ["vets"],
             "keys": [{"id": "a", "sha256": digest("ann-key")}]},
            {"username": "ben", "id": "33333333-3333-4333-8333-333333333332",
             "keys": [{"id": "b", "sha256": digest("ben-key")}, {"id": "c", "sha256": digest("ben-second")}]},
        ])
    );
    for key in ["ann-key", "ben-key", "ben-second"] {
        assert!(!said.out.contains(key) && !said.err.contains(key), "{}{}", said.out, said.err);
    }
    assert!(new["consumers"][0].get("keyauth_credentials").is_none());
    assert_eq!(new["consumers"][2]["username"], "guest");
}

#[test]
fn credentials_beside_consumers_are_theirs_and_one_of_nobody_is_told() {
    let beside = "consumers: [{username: ann}]\nkeyauth_credentials:\n- {consumer: ann, id: a, key: ann-key}\n- {consumer: eve, id: e, key: eve-key}\n";
    let said = of(&config(&["{name: key-auth}"], beside), &[]);
    assert_eq!(said.code, 1);
    assert!(
        said.err
            .contains("old.yml:10 keyauth_credentials[1]  a key of a consumer that is in none of the files"),
        "{}",
        said.err
    );
    let new = new(&said);
    let consumers = &new["services"][0]["plugins"][0]["config"]["consumers"];
    assert_eq!(consumers.as_array().map(Vec::len), Some(1));
    assert!(new.get("keyauth_credentials").is_none() && !said.out.contains("-key\""), "{}", said.out);
}

#[test]
fn a_key_that_is_not_there_or_whose_end_is_not_known_lets_nobody_in() {
    let rows = [
        ("{id: a}", "kong", "no key is written in a credential of \"ann\"", 1),
        ("{id: a, key: ''}", "kong", "no key is written in a credential of \"ann\"", 1),
        ("{id: a, key: secret-1, ttl: 3600}", "deck", "with a ttl and no created_at", 1),
        // It ended before it was read.
        ("{id: a, key: secret-1, ttl: 3600, created_at: 1700000000}", "deck", "that has ended", 0),
        ("{id: a, key: secret-1, ttl: 3600, created_at: 4000000000}", "kong", "that has ended", 0),
    ];
    for (credential, from, owed, code) in rows {
        let people = format!(
            "consumers: [{{username: ann, id: 33333333-3333-4333-8333-333333333331, keyauth_credentials: [{credential}]}}]\n"
        );
        let said = of(&config(&["{name: key-auth}"], &people), &["--from", from]);
        assert_eq!(said.code, code, "{credential}: {}", said.err);
        assert!(said.err.contains(owed), "{credential}: {}", said.err);
        let new = new(&said);
        assert!(new["services"][0]["plugins"][0]["config"].get("consumers").is_none(), "{}", said.out);
        assert!(!said.out.contains("secret-1") && !said.err.contains("secret-1"));
    }
}

#[test]
fn a_ttl_ends_when_it_did() {
    let people = "consumers: [{username: ann, id: 33333333-3333-4333-8333-333333333331, keyauth_credentials: [{id: a, key: k, created_at: 4000000000, ttl: 3600}]}]\n";
    let said = of(&config(&["{name: key-auth}"], people), &["--from", "deck"]);
    let key = &new(&said)["services"][0]["plugins"][0]["config"]["consumers"][0]["keys"][0];
    assert_eq!(key["not_after"], "2096-10-02T08:06:40Z", "{}", said.out);
    let people = "consumers: [{username: ann, id: 33333333-3333-4333-8333-333333333331, keyauth_credentials: [{id: a, key: k, ttl: 4000000000}]}]\n";
    let said = of(&config(&["{name: key-auth}"], people), &[]);
    let key = &new(&said)["services"][0]["plugins"][0]["config"]["consumers"][0]["keys"][0];
    assert_eq!(key["not_after"], "2096-10-02T07:06:40Z", "{}", said.out);
}

#[test]
fn groups_decide_as_acl_did() {
    let refused = json!({"status": 403, "message": "You cannot consume this service"});
    let unknown = json!({"status": 401, "message": "Unauthorized"});
    let with = |key_auth: &str, acl: &str| {
        let plugins = format!(
            "{{name: key-auth, config: {{{key_auth}}}}}, {{name: acl, config: {{hide_groups_header: true, {acl}}}}}"
        );
        let said = of(&config(&[&plugins, "{name: key-auth, config: {realm: other}}"], PEOPLE), &[]);
        assert_eq!(said.code, 0, "{}", said.err);
        policy(&new(&said), 0)["rules"].clone()
    };
    assert_eq!(with("", "deny: [vets, nobody]"), json!([{"match": {"groups": ["vets"]}, "deny": refused}]));
    assert_eq!(with("", "deny: [nobody]"), Value::Null);
    // No certificate is selected here, so that who is refused has to be named.
    assert_eq!(with("", "allow: [vets]"), json!([{"match": {"consumers": ["ben"]}, "deny": refused}]));
    assert_eq!(
        with("anonymous: guest", "allow: [vets]"),
        json!([{"match": {"consumers": ["guest"]}, "deny": unknown}, {"match": {"consumers": ["ben"]}, "deny": refused}])
    );
    assert_eq!(
        with("run_on_preflight: false", "deny: [vets]"),
        json!([{"match": {"methods": ["OPTIONS"]}, "deny": unknown}, {"match": {"groups": ["vets"]}, "deny": refused}])
    );
}

#[test]
fn what_cannot_be_mapped_stays_and_its_keys_with_it() {
    let stuck = [
        "{name: key-auth}, {name: jwt}",
        "{name: key-auth, config: {anonymous: eve}}",
        "{name: key-auth, config: {key_in_body: true}}",
        "{name: key-auth, config: {identity_realms: [{scope: realm, id: x}]}}",
        "{name: key-auth, config: {new_option: 1}}",
        "{name: key-auth, config: {realm: 'a\"b'}}",
        "{name: key-auth, protocols: [https]}",
        "{name: key-auth, ordering: {before: {access: [acl]}}}",
        "{name: key-auth}, {name: acl, config: {allow: [vets], whitelist: [x]}}",
        "{name: key-auth}, {name: request-termination}",
        "{name: key-auth}, {name: proxy-cache}",
        "{name: key-auth}, {name: mtls-policy, config: {}}",
    ];
    for plugins in stuck {
        let said = of(
            &config(&[plugins, "{name: key-auth, config: {realm: fine}}"], PEOPLE),
            &["--output", "new.yml"],
        );
        assert_eq!(said.code, 1, "{plugins}: {}", said.err);
        assert!(said.err.contains("not mapped\n"), "{plugins}: {}", said.err);
    }
    let directory = tempfile::tempdir().unwrap();
    let old = config(&[stuck[0], "{name: key-auth, config: {realm: fine}}"], PEOPLE);
    let said = migrate(directory.path(), &[("old.yml", &old)], &["old.yml", "--output", "new.yml"]);
    assert_eq!(said.code, 1);
    let text = std::fs::read_to_string(directory.path().join("new.yml")).unwrap();
    let new = new(&Said { out: text, ..said });
    let names = |route: usize| -> Vec<String> {
        let plugins = new["services"][0]["routes"][route]["plugins"].as_array().unwrap();
        plugins.iter().map(|plugin| plugin["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names(0), names(1)),
        (vec!["key-auth".to_owned(), "jwt".to_owned()], vec!["mtls-policy".to_owned()])
    );
    assert_eq!(new["consumers"][0]["keyauth_credentials"][0]["key"], "ann-key");
}

#[test]
fn a_plugin_that_one_route_needs_stays_for_all_of_its_routes() {
    let old = format!(
        "{}plugins: [{{name: key-auth}}]\n",
        config(&["{name: jwt}", "{name: correlation-id}", "{name: key-auth, config: {realm: own}}"], PEOPLE)
    );
    let said = of(&old, &["--output", "new.yml"]);
    assert_eq!(said.code, 1);
    for route in ["r1", "r2"] {
        let owed = format!("key-auth has to stay for route \"r0\", so route \"{route}\" keeps its key-auth");
        assert!(said.err.contains(&owed), "{}", said.err);
    }
    assert!(!said.err.contains("mtls-policy on"), "{}", said.err);
}

#[test]
fn the_plugin_can_stand_where_the_filter_cannot() {
    let rows = [
        "{name: key-auth, config: {key_in_body: true}}",
        "{name: key-auth}, {name: request-termination}",
        "{name: key-auth}, {name: request-transformer, config: {add: {headers: ['a:b']}}}",
    ];
    for plugins in rows {
        assert_eq!(of(&config(&[plugins], PEOPLE), &["--engine", "native"]).code, 0, "{plugins}");
        assert_eq!(
            of(&config(&[plugins], PEOPLE), &["--engine", "wasm", "--output", "n.yml"]).code,
            1,
            "{plugins}"
        );
    }
    let scoped = format!(
        "{}plugins: [{{name: rate-limiting, consumer: ann, config: {{minute: 1}}}}]\n",
        config(&["{name: key-auth}"], PEOPLE)
    );
    assert_eq!(of(&scoped, &["--engine", "native"]).code, 0);
    assert_eq!(of(&scoped, &["--output", "n.yml"]).code, 1);
}

#[test]
fn all_else_is_as_it_was() {
    let more = format!(
        "{PEOPLE}plugins:\n- {{name: prometheus, config: {{per_consumer: false}}}}\n- {{name: key-auth, enabled: false}}\nupstreams: [{{name: u, targets: [{{target: 'h:1'}}]}}]\n"
    );
    let old = config(&["{name: key-auth}, {name: cors, config: {origins: ['*'], max_age: 7}}", ""], &more);
    let said = of(&old, &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    let mut owed =
        kong_config::document::parse(&old, &kong_config::document::Report::new(None)).unwrap().to_json();
    let came = new(&said);
    // What was key-auth is a policy, at the end of the list.
    owed["services"][0]["routes"][0]["plugins"] = json!([
        owed["services"][0]["routes"][0]["plugins"][1],
        came["services"][0]["routes"][0]["plugins"][1]
    ]);
    owed["services"][0]["routes"][1]["plugins"] = json!([]);
    for consumer in owed["consumers"].as_array_mut().unwrap() {
        consumer.as_object_mut().unwrap().remove("keyauth_credentials");
    }
    assert_eq!(came, owed);
}

#[test]
fn a_services_certificate_is_presented_by_the_plugin_under_its_common_name() {
    use pki::{Authority, Ca, Leaf};
    let issued = Authority::root(&Ca::named("ca")).unwrap().issue(&Leaf::client("kong-client")).unwrap();
    let quoted = |text: &str| Value::from(text).to_string();
    let old = format!(
        "_format_version: \"3.0\"
{PEOPLE}certificates: [{{id: c1, cert: {}, key: {}}}]
services:
- name: s
  url: https://api.example
  client_certificate: c1
  tls_verify: true
  tls_verify_depth: 3
  ca_certificates: [ca1]
  connect_timeout: 7
  routes: [{{name: r, paths: [/r], plugins: [{{name: key-auth}}]}}, {{name: open, paths: [/o]}}]
- {{name: plain, url: 'https://b.example', client_certificate: c1}}
",
        quoted(&issued.chain_pem()),
        quoted(&issued.key().pem()),
    );
    // A private key is not for a terminal.
    let said = of(&old, &[]);
    assert_eq!(said.code, 2);
    assert!(
        said.out.is_empty() && said.err.contains("certificates[0].key") && !said.err.contains("PRIVATE"),
        "{}",
        said.err
    );
    let directory = tempfile::tempdir().unwrap();
    let said = migrate(directory.path(), &[("old.yml", &old)], &["old.yml", "--output", "new.yml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let file = directory.path().join("new.yml");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    let new = new(&Said { out: std::fs::read_to_string(file).unwrap(), ..said });
    let service = &new["services"][0];
    assert_eq!(
        service["plugins"],
        json!([{"name": "upstream-mtls", "config": {
            "client_certificates": [{"name": "kong-client", "certificate": {"id": "c1"}}],
            "client_certificate": "kong-client",
            "ca_certificates": ["ca1"],
            "tls_verify": true,
            "tls_verify_depth": 3,
        }}])
    );
    assert_eq!(policy(&new, 0)["client_certificate"], "kong-client");
    for gone in ["client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates"] {
        assert!(service.get(gone).is_none(), "{gone}");
    }
    assert_eq!(service["connect_timeout"], 7);
    assert_eq!(new["services"][1]["client_certificate"], "c1");
}

#[test]
fn what_an_admin_api_lists_becomes_one_config() {
    let list = |items: &str| format!("{{\"data\": [{items}], \"next\": null}}");
    let files = [
        (
            "services.json",
            list(r#"{"id": "s1", "name": "s", "host": "h", "port": 80, "protocol": "http", "path": null}"#),
        ),
        (
            "routes.json",
            list(r#"{"id": "r1", "name": "r", "service": {"id": "s1"}, "paths": ["/r"], "methods": null}"#),
        ),
        (
            "plugins.json",
            list(
                r#"{"id": "p1", "name": "key-auth", "route": {"id": "r1"}, "service": null, "consumer": null, "enabled": true, "protocols": ["grpc", "grpcs", "http", "https"], "config": {"key_names": ["k"], "anonymous": null, "hide_credentials": false}}, {"id": "p2", "name": "acl", "route": {"id": "r1"}, "enabled": true, "config": {"allow": null, "deny": ["banned"], "hide_groups_header": true, "always_use_authenticated_groups": false}}"#,
            ),
        ),
        (
            "consumers.json",
            list(
                r#"{"id": "33333333-3333-4333-8333-333333333331", "username": "ann", "custom_id": null, "created_at": 1}"#,
            ),
        ),
        (
            "keys.json",
            list(
                r#"{"id": "k1", "key": "ann-key", "consumer": {"id": "33333333-3333-4333-8333-333333333331"}, "ttl": null, "created_at": 1}"#,
            ),
        ),
        (
            "acls.json",
            list(
                r#"{"id": "a1", "group": "banned", "consumer": {"id": "33333333-3333-4333-8333-333333333331"}}"#,
            ),
        ),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let directory = tempfile::tempdir().unwrap();
    let said = migrate(directory.path(), &files, &names);
    assert_eq!(said.code, 0, "{}", said.err);
    let came = new(&said);
    assert_eq!(came["routes"][0]["service"], json!({"id": "s1"}));
    assert!(came["routes"][0].get("methods").is_none() && came.get("keyauth_credentials").is_none());
    let policy = &came["services"][0]["plugins"][0]["config"];
    assert_eq!(policy["consumers"][0]["keys"][0]["id"], "k1");
    assert_eq!(policy["rules"][0]["match"], json!({"groups": ["banned"]}));
    // Without its groups nobody could be told to be denied.
    let said = migrate(directory.path(), &[], &[&names[..5], &["--output", "new.yml"]].concat());
    assert_eq!(said.code, 1);
    assert!(said.err.contains("nobody in the dump is in a group that is denied"), "{}", said.err);
}

#[test]
fn the_report_tells_programs_what_it_tells_people() {
    let directory = tempfile::tempdir().unwrap();
    let old = config(&["{name: key-auth}, {name: jwt}", "{name: key-auth, config: {realm: fine}}"], PEOPLE);
    let arguments = ["old.yml", "--output", "new.yml", "--json", "--report", "report.json"];
    let said = migrate(directory.path(), &[("old.yml", &old)], &arguments);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    let text = std::fs::read_to_string(directory.path().join("report.json")).unwrap();
    let report = Said { out: text, ..said }.json();
    assert_eq!((&report["source"], &report["unmapped"]), (&json!("Kong's config"), &json!(1)), "{report}");
    let entries = report["entries"].as_array().unwrap();
    let jwt = entries.iter().find(|entry| entry["outcome"] == "unmapped").unwrap();
    assert_eq!((&jwt["line"], &jwt["path"]), (&json!(6), &json!("services[0].routes[0].plugins[1]")));
}
