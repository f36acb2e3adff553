//! Kong's key-auth, acl and `service.client_certificate` before, what `harness migrate` makes of them after, and the same
//! requests: the same answers and the same requests upstream, but for what docs/migrate.md says.

use harness::cases::Outcome;
use harness::gateway::Ability;
use policy_tools::Engine;
use policy_tools::migrate::Source;
use tests::migration::{Ask, Difference};
use tests::{Setting, lacks, needs, tests};

tests![
    every_answer_is_as_it_was_in_either_shell,
    a_key_auth_for_everything_and_its_exceptions_are_as_they_were,
    what_only_the_plugin_can_is_as_it_was,
    what_stays_for_want_of_a_counterpart_goes_on_as_it_was,
];

/// Ann is in `vets`, has two keys and is called by the upstream's own name for her; bob is `banned`; carl is in no group;
/// what old has is over.
const CONSUMERS: &str = r#"
consumers:
- username: ann
  custom_id: ann-7
  acls: [{group: vets}, {group: staff}]
  keyauth_credentials:
  - {id: 11111111-1111-4111-8111-111111111111, key: <key of ann>}
  - {id: 11111111-1111-4111-8111-111111111112, key: <key of ann-second>}
- username: bob
  id: 33333333-3333-4333-8333-333333333333
  acls: [{group: banned}]
  keyauth_credentials: [{id: 11111111-1111-4111-8111-111111111113, key: <key of bob>}]
- username: carl
  keyauth_credentials: [{key: <key of carl>}]
- username: guest
- username: old
  keyauth_credentials: [{id: 11111111-1111-4111-8111-111111111114, key: <key of old>, ttl: 3600, created_at: 1700000000}]
"#;

const ROUTES: [&str; 13] = [
    "plain",
    "named",
    "headers",
    "queries",
    "anonymous",
    "preflight",
    "allow",
    "deny",
    "groups",
    "open",
    "upstream",
    "refuse",
    "own",
];

const SERVICES: &str = r#"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  tls_verify: true
  tls_verify_depth: 2
  ca_certificates: [22222222-2222-4222-8222-222222222223]
  routes:
  - {name: plain, paths: [/plain], plugins: [{name: key-auth}]}
  - name: named
    paths: [/named]
    plugins: [{name: key-auth, config: {key_names: [X-API-Key, apikey], hide_credentials: true, realm: dogs}}]
  - {name: headers, paths: [/headers], plugins: [{name: key-auth, config: {key_in_query: false, hide_credentials: true}}]}
  - {name: queries, paths: [/queries], plugins: [{name: key-auth, config: {key_in_header: false, hide_credentials: true}}]}
  - {name: anonymous, paths: [/anonymous], plugins: [{name: key-auth, config: {anonymous: guest}}]}
  - {name: preflight, paths: [/preflight], plugins: [{name: key-auth, config: {run_on_preflight: false}}]}
  - name: allow
    paths: [/allow]
    plugins: [{name: key-auth}, {name: acl, config: {allow: [vets, nobody], hide_groups_header: true}}]
  - name: deny
    paths: [/deny]
    plugins:
    - {name: key-auth, config: {run_on_preflight: false}}
    - {name: acl, config: {deny: [banned], hide_groups_header: true}}
  - name: groups
    paths: [/groups]
    plugins: [{name: key-auth, config: {anonymous: guest}}, {name: acl, config: {allow: [vets]}}]
  - {name: open, paths: [/open]}
- name: by-upstream
  protocol: https
  host: dogs
  port: 443
  plugins:
  - {name: key-auth}
  - {name: acl, config: {allow: [vets, banned], hide_groups_header: true}}
  - {name: response-transformer, config: {add: {headers: ["X-Added:yes"]}}}
  routes:
  - {name: upstream, paths: [/upstream]}
  - {name: refuse, paths: [/refuse], plugins: [{name: acl, config: {deny: [vets], hide_groups_header: true}}]}
  - {name: own, paths: [/own], plugins: [{name: key-auth, config: {realm: own, anonymous: ann}}]}
upstreams:
- name: dogs
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  targets: [{target: "dogcatcher-api:5443"}]
"#;

/// With certificates of the stack's own, which are there when it is.
fn setting_and(services: &str) -> (Setting, String) {
    needs(Ability::KongsOwn);
    let setting = Setting::of("_format_version: \"3.0\"\nconsumers: [{username: nobody}]\n");
    let (chain, key) = setting.issue("kong-client");
    let anchor = setting.authority().pem();
    let text = |pem: &str| serde_json::Value::from(pem).to_string();
    let certificates = format!(
        "certificates:\n- {{id: 22222222-2222-4222-8222-222222222222, cert: {}, key: {}}}\n\
         ca_certificates:\n- {{id: 22222222-2222-4222-8222-222222222223, cert: {}}}\n",
        text(&chain),
        text(&key),
        text(&anchor)
    );
    let config = format!("_format_version: \"3.0\"\n{CONSUMERS}{services}{certificates}");
    (setting, config)
}

fn every_answer_is_as_it_was_in_either_shell() {
    let (setting, old) = setting_and(SERVICES);
    let asks = asks(&setting, &ROUTES);
    assert!(asks.len() > 250, "{}", asks.len());
    let migration = setting.migrates(&old, Source::Kong, &asks, &reasons(&[IDS, GROUPS, HIDDEN]), None);
    assert!(migration.report.is_whole(), "{}", policy_tools::migrate::text(&migration.report));
    let config = migration.config.unwrap();
    for name in ["ann", "ann-second", "bob", "carl", "old"] {
        let key = setting.key(name);
        assert!(!config.contains(&key) && !policy_tools::migrate::text(&migration.report).contains(&key));
    }
}

fn a_key_auth_for_everything_and_its_exceptions_are_as_they_were() {
    let services = r#"
plugins:
- {name: key-auth, config: {realm: everything}}
- {name: acl, config: {deny: [banned], hide_groups_header: true}}
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  routes:
  - {name: plain, paths: [/plain]}
  - {name: own, paths: [/own], plugins: [{name: key-auth, config: {realm: own, hide_credentials: true}}]}
- name: other
  url: https://dogcatcher-api:5443/anything
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  plugins: [{name: key-auth, config: {realm: other, key_names: [x-other, apikey]}}]
  routes:
  - {name: other, paths: [/other]}
  - {name: again, paths: [/again], plugins: [{name: acl, config: {allow: [staff], hide_groups_header: true}}]}
"#;
    let (setting, old) = setting_and(services);
    let asks = asks(&setting, &["plain", "own", "other", "again"]);
    let differences = reasons(&[IDS, GROUPS]);
    let migration = setting.migrates(&old, Source::Kong, &asks, &differences, None);
    assert!(migration.report.is_whole(), "{}", policy_tools::migrate::text(&migration.report));
}

fn what_only_the_plugin_can_is_as_it_was() {
    needs(Ability::ReadsBodies);
    let services = r#"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  plugins:
  - {name: key-auth, config: {key_in_body: true, hide_credentials: true}}
  - {name: request-size-limiting, config: {allowed_payload_size: 1}}
  - {name: request-transformer, config: {add: {headers: ["apikey:of-somebody"]}}}
  routes:
  - {name: plain, paths: [/plain]}
plugins:
- {name: request-termination, consumer: carl, config: {status_code: 418, message: not carl}}
"#;
    let (setting, old) = setting_and(services);
    let mut asks = asks(&setting, &["plain"]);
    for who in ["ann", "bob", "carl"] {
        let form = format!("a=1&apikey={}", setting.key(who));
        // Kong encodes JSON anew, without spaces; the plugin leaves other fields as they are.
        let json = format!("{{\"apikey\":\"{}\",\"b\":2}}", setting.key(who));
        for (kind, body) in [("application/x-www-form-urlencoded", form), ("application/json", json)] {
            let head = format!(
                "POST /plain/anything/7 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            asks.push(Ask { name: format!("{who} in a body of {kind}"), bytes: (head + &body).into_bytes() });
        }
    }
    let differences = reasons(&[GROUPS]);
    let migration = setting.migrates(&old, Source::Kong, &asks, &differences, Some(Engine::Native));
    assert!(migration.report.is_whole(), "{}", policy_tools::migrate::text(&migration.report));
}

fn what_stays_for_want_of_a_counterpart_goes_on_as_it_was() {
    let services = r#"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  client_certificate: {id: 22222222-2222-4222-8222-222222222222}
  routes:
  - {name: plain, paths: [/plain], plugins: [{name: key-auth, config: {realm: mapped}}]}
  - {name: mixed, paths: [/mixed], plugins: [{name: key-auth, config: {realm: mixed}}, {name: basic-auth}]}
"#;
    let (setting, old) = setting_and(services);
    let asks: Vec<_> =
        asks(&setting, &["plain", "mixed"]).into_iter().filter(|ask| !ask.name.contains("carl")).collect();
    let migration = setting.migrates(&old, Source::Kong, &asks, &reasons(&[GROUPS]), None);
    assert!(!migration.report.is_whole());
    let said = policy_tools::migrate::text(&migration.report);
    assert!(said.contains("basic-auth says who is asking too"), "{said}");
    let config = migration.config.unwrap();
    assert!(config.contains("name: key-auth") && config.contains("name: mtls-policy"));
}

/// Those, and what is other with the filter where that is what runs.
fn reasons(reasons: &[&str]) -> Vec<Difference> {
    let filter = if lacks(Ability::RunsFilters).is_none() { FILTER } else { "" };
    DIFFERENCES.iter().filter(|one| one.reason == filter || reasons.contains(&one.reason)).copied().collect()
}

/// Every way to give a key, and everybody, on every route.
fn asks(setting: &Setting, routes: &[&str]) -> Vec<Ask> {
    let key = |who: &str| setting.key(who);
    let (ann, bob) = (key("ann"), key("bob"));
    let header = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let query = |value: &str| format!("?a=1&apikey={value}&b=%2F");
    let spoofed = "X-Consumer-Username: root\r\nX-Consumer-ID: 1\r\nX-Consumer-Custom-ID: 2\r\nX-Credential-Identifier: 3\r\nX-Anonymous-Consumer: true\r\n";
    // Name, method, query, headers.
    let rows = [
        ("no key", "GET", String::new(), String::new()),
        ("ann", "GET", String::new(), header("apikey", &ann)),
        ("ann's second", "GET", String::new(), header("apikey", &key("ann-second"))),
        ("bob", "GET", String::new(), header("apikey", &bob)),
        ("carl", "GET", String::new(), header("apikey", &key("carl"))),
        ("old", "GET", String::new(), header("apikey", &key("old"))),
        ("a wrong key", "GET", String::new(), header("apikey", "wrong")),
        ("a digest", "GET", String::new(), header("apikey", &tests::digest(&ann))),
        ("an empty key", "GET", String::new(), header("apikey", "")),
        ("twice", "GET", String::new(), header("apikey", &ann) + &header("apikey", &ann)),
        ("in capitals", "GET", String::new(), header("APIKEY", &ann)),
        ("ann in a query", "GET", query(&ann), String::new()),
        ("bob in a query, escaped", "GET", query(&harness::stack::escaped(&bob)), String::new()),
        ("twice in a query", "GET", query(&ann) + "&apikey=" + &ann, String::new()),
        ("a wrong one in a query", "GET", query("wrong"), String::new()),
        ("without a value", "GET", "?apikey".to_owned(), String::new()),
        ("in both", "GET", query(&bob), header("apikey", &ann)),
        ("a wrong one before", "GET", query(&ann), header("apikey", "wrong")),
        ("another name", "GET", String::new(), header("X-API-Key", &ann)),
        ("two names", "GET", String::new(), header("X-API-Key", &ann) + &header("apikey", &bob)),
        ("post", "POST", String::new(), header("apikey", &ann) + "Content-Length: 0\r\n"),
        ("options", "OPTIONS", String::new(), String::new()),
        ("options with a key", "OPTIONS", String::new(), header("apikey", &ann)),
        ("options with another's", "OPTIONS", String::new(), header("apikey", &bob)),
        ("spoofed", "GET", String::new(), header("apikey", &ann) + spoofed),
        ("groups of one's own", "GET", String::new(), header("apikey", &ann) + "X-Consumer-Groups: root\r\n"),
        ("spoofed, no key", "GET", String::new(), spoofed.to_owned()),
        ("a page", "GET", String::new(), "Accept: text/html\r\n".to_owned()),
        ("a text", "GET", String::new(), header("apikey", "wrong") + "Accept: text/plain\r\n"),
    ];
    let mut asks = Vec::new();
    for route in routes {
        for (name, method, query, headers) in &rows {
            let bytes = format!(
                "{method} /{route}/anything/7{query} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{headers}\r\n"
            );
            asks.push(Ask { name: format!("{route}: {name}"), bytes: bytes.into_bytes() });
        }
    }
    asks
}

/// What docs/migrate.md says.
const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: IDS,
        owed: |_, outcome| {
            if has(outcome, "x-consumer-username", "carl") {
                set(outcome, "x-credential-identifier", Some("1"));
            }
        },
    },
    Difference {
        reason: GROUPS,
        owed: |ask, outcome| {
            if !["open", "mixed"].iter().any(|route| ask.name.starts_with(route)) {
                set(outcome, "x-consumer-groups", None);
            }
        },
    },
    Difference {
        reason: HIDDEN,
        owed: |ask, outcome| {
            if ask.name == "named: two names" {
                set(outcome, "apikey", None);
            }
        },
    },
    Difference {
        reason: FILTER,
        owed: |ask, outcome| {
            let own = ["open", "mixed"].iter().any(|route| ask.name.starts_with(route));
            let Some(answer) = outcome.answer.as_mut().filter(|_| outcome.upstream.is_none() && !own) else {
                return;
            };
            let server = answer.header("server").unwrap_or_default().to_owned();
            answer.body.push('\n');
            for (name, value) in &mut answer.headers {
                if name == "Content-Length" {
                    *value = (value.parse::<usize>().unwrap() + 1).to_string();
                }
            }
            answer.headers.push(("Via".to_owned(), format!("1.1 {server}")));
            answer.headers.sort();
        },
    },
];
const IDS: &str = "a key without an id of its own";
const GROUPS: &str = "the upstream hears no X-Consumer-Groups, neither acl's nor the client's";
const HIDDEN: &str = "a hidden key is hidden under all names";
const FILTER: &str = "a filter's refusal ends with a line feed and has passed by way of Kong";

fn has(outcome: &Outcome, name: &str, value: &str) -> bool {
    let heard = outcome.upstream.iter().flat_map(|heard| &heard.headers);
    heard.into_iter().any(|(each, is)| each == name && is == value)
}

/// What the upstream is to hear.
fn set(outcome: &mut Outcome, name: &str, value: Option<&str>) {
    let Some(heard) = &mut outcome.upstream else { return };
    heard.headers.retain(|(each, _)| each != name);
    heard.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    heard.headers.sort();
}
