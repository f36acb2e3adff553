//! No plugin answers for the upstream before a policy has decided.
//!
//! As a plugin, mtls-policy decides before they run. As a filter it runs after them: what they answer becomes a 503, for
//! nothing has decided.

use harness::cases::Answer;
use harness::gateway::Ability;
use tests::config::upstream_mtls;
use tests::recorder::Recorder;
use tests::{Setting, lacks, needs, raw, tests};

tests![
    answers_of_plugins_need_a_decision_by_api_key,
    answers_of_plugins_need_a_decision_by_the_gateway,
    cors_answers_preflights,
    function_is_not_invoked_without_a_decision,
    rejections_of_other_plugins_keep_their_status,
    warm_cache_needs_a_decision_by_api_key,
    warm_cache_needs_a_decision_by_the_gateway,
];

/// Each is configured beside a policy, on a service with upstream-mtls and on one without.
const ANSWERS: [(&str, &str); 6] = [
    ("terminated", "{name: request-termination, config: {status_code: 200, message: answered}}"),
    ("redirected", "{name: redirect, config: {status_code: 302, location: 'http://answered.example/'}}"),
    ("exited", r#"{name: post-function, config: {access: ["kong.response.exit(200, 'answered')"]}}"#),
    ("exited-empty", r#"{name: post-function, config: {access: ["kong.response.exit(204)"]}}"#),
    ("said", r#"{name: post-function, config: {access: ["ngx.say('answered') return ngx.exit(200)"]}}"#),
    (
        "exited-low",
        r#"{name: post-function, config: {access: ["ngx.status = 200 ngx.print('answered') ngx.exit(ngx.OK)"]}}"#,
    ),
];

fn answers_of_plugins_need_a_decision_by_api_key() {
    let setting = answering();
    for (name, _) in ANSWERS {
        for service in ["with", "without"] {
            let get = |who: &str| with_key(&setting, &format!("{service}-key-{name}"), who);
            // Key, and the status where mtls-policy is a plugin: `None` if the answering plugin's own is right.
            for (who, status) in [("", Some(401)), ("nobody", Some(401)), ("eve", Some(403)), ("ann", None)] {
                assert_answer(&get(who), status, &format!("{service}, {name}, {who:?}"));
            }
        }
    }
    assert_eq!(setting.requests_upstream(), 0);
}

fn answers_of_plugins_need_a_decision_by_the_gateway() {
    let setting = answering();
    for (name, _) in ANSWERS {
        for service in ["with", "without"] {
            let get = |key: &str| of_kong(&setting, &format!("{service}-gateway-{name}"), key);
            let here = |key: &str| format!("{service}, {name}, {key:?}");
            assert_eq!(get("wrong").status, 401, "{}", here("wrong"));
            assert_answer(&get("carl-key"), Some(403), &here("carl-key"));
            assert_answer(&get("bob-key"), None, &here("bob-key"));
            // No plugin authenticates on this route.
            let open = of_kong(&setting, &format!("{service}-nobody-{name}"), "bob-key");
            assert_answer(&open, Some(401), &here("nobody"));
        }
    }
    assert_eq!(setting.requests_upstream(), 0);
}

/// The cache was filled by requests with a key.
fn warm_cache_needs_a_decision_by_api_key() {
    needs(Ability::KongsOwn);
    let setting = Setting::of(&format!(
        r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
  - {{name: dogs, paths: [/dogs], plugins: [{BY_KEY}, {}]}}
"#,
        upstream_mtls(""),
        cache("kong_db_cache"),
    ));
    let get = |who: &str| with_key(&setting, "dogs", who);
    setting.wait_until("a response is cached in some way", || {
        let seen = get("ann");
        assert!(matches!(seen.status, 200 | 503), "{seen:?}");
        seen.status == 503 || seen.header("X-Cache-Status") == Some("Hit")
    });
    for _ in 0..8 {
        assert_answer(&get(""), Some(401), "without a key");
        assert_answer(&get("nobody"), Some(401), "with a wrong key");
        assert_answer(&get("eve"), Some(403), "denied");
    }
}

/// The cache was filled before the route had a policy.
fn warm_cache_needs_a_decision_by_the_gateway() {
    needs(Ability::KongsOwn);
    let config = |on_service: &str, on_route: &str| {
        format!(
            r#"_format_version: "3.0"
services:
- name: dogcatcher
  url: https://dogcatcher-api:5443
  plugins: [{on_service}]
  routes:
  - {{name: dogs, id: 7c1e0000-0000-4000-8000-0000000000d0, paths: [/dogs], plugins: [{}{on_route}]}}
"#,
            cache("warm"),
        )
    };
    let presenting = upstream_mtls("client_certificate: kong-client");
    // Not Kong's own cache, which a change of the config empties.
    let settings = [("nginx_http_lua_shared_dict", "warm 5m")];
    for on_service in [presenting.as_str(), ""] {
        let setting = Setting::up(&config(&presenting, ""), &settings).unwrap();
        let get = || with_key(&setting, "dogs", "");
        setting.wait_until("a response is cached", || get().header("X-Cache-Status") == Some("Hit"));
        setting.reconfigure_to(&config(on_service, &format!(", {OF_GATEWAY}"))).unwrap();
        for _ in 0..8 {
            assert_answer(&get(), Some(401), on_service);
        }
    }
}

/// Kong's aws-lambda plugin, with a server of this test as the provider.
fn function_is_not_invoked_without_a_decision() {
    needs(Ability::KongsOwn);
    let provider = Recorder::start(r#"{"message": "answered"}"#);
    let lambda = format!(
        "{{name: aws-lambda, config: {{aws_key: a, aws_secret: b, aws_region: eu-central-1, function_name: f, \
         host: 127.0.0.1, port: {}, disable_https: true}}}}",
        provider.port()
    );
    let routes = |service: &str| {
        format!(
            "  - {{name: {service}-key, paths: [/{service}-key], plugins: [{BY_KEY}, {lambda}]}}\n  \
             - {{name: {service}-gateway, paths: [/{service}-gateway], plugins: [{{name: key-auth}}, {OF_GATEWAY}, {lambda}]}}\n"
        )
    };
    let setting = Setting::of(&services(&routes));
    for service in ["with", "without"] {
        let route = format!("{service}-key");
        assert_answer(&with_key(&setting, &route, ""), Some(401), &route);
        assert_answer(&with_key(&setting, &route, "eve"), Some(403), &route);
        let route = format!("{service}-gateway");
        assert_answer(&of_kong(&setting, &route, "carl-key"), Some(403), &route);
        if is_plugin() {
            assert_eq!(provider.requests().len(), 0, "{route}: {:?}", provider.requests());
        }
    }
    for service in ["with", "without"] {
        let route = format!("{service}-key");
        assert_answer(&with_key(&setting, &route, "ann"), None, &route);
    }
    if is_plugin() {
        assert_eq!(provider.requests().len(), 2);
    }
}

fn cors_answers_preflights() {
    needs(Ability::KongsOwn);
    let cors = "{name: cors, config: {origins: ['http://page.example'], methods: [GET]}}";
    let routes = |service: &str| {
        format!(
            "  - {{name: {service}-key, paths: [/{service}-key], plugins: [{cors}, {BY_KEY}]}}\n  \
             - {{name: {service}-gateway, paths: [/{service}-gateway], plugins: [{cors}, {{name: key-auth}}, {OF_GATEWAY}]}}\n"
        )
    };
    let setting = Setting::of(&services(&routes));
    for route in ["/with-key", "/with-gateway", "/without-key", "/without-gateway"] {
        let preflight = setting
            .request("OPTIONS", &format!("{route}/anything"))
            .header("Origin", "http://page.example")
            .header("Access-Control-Request-Method", "GET")
            .send();
        let allowed = preflight.answer_header("Access-Control-Allow-Origin");
        assert_eq!(
            (preflight.status, allowed),
            (200, Some("http://page.example")),
            "{route}: {}",
            preflight.text
        );
        // What it does not answer itself is decided by the policy.
        let get = setting.get(&format!("{route}/anything")).header("Origin", "http://page.example").send();
        assert_eq!(get.status, 401, "{route}: {}", get.text);
    }
    assert_eq!(setting.requests_upstream(), 0);
}

/// A plugin that rejects a request is no danger, and its status is what the client needs.
fn rejections_of_other_plugins_keep_their_status() {
    needs(Ability::KongsOwn);
    let rejecting = [
        ("ip-restriction", "{name: ip-restriction, config: {deny: [127.0.0.0/8]}}", 403),
        ("bot-detection", "{name: bot-detection, config: {deny: ['.*']}}", 403),
        ("size", "{name: request-size-limiting, config: {allowed_payload_size: 1, size_unit: bytes}}", 413),
        ("terminated", "{name: request-termination, config: {status_code: 503, message: maintenance}}", 503),
        (
            "validated",
            r#"{name: post-function, config: {access: ["kong.response.exit(422, 'not so')"]}}"#,
            422,
        ),
        ("key-auth", "{name: key-auth}", 401),
    ];
    let routes = |service: &str| {
        let route = |(name, plugin, _): &(&str, &str, u16)| {
            format!(
                "  - {{name: {service}-{name}, paths: [/{service}-{name}], plugins: [{plugin}, {BY_KEY}]}}\n"
            )
        };
        rejecting.iter().map(route).collect()
    };
    let setting = Setting::of(&services(&routes));
    for (name, _, status) in rejecting {
        let request = setting.request("POST", &format!("/with-{name}/anything")).key("ann");
        let seen = request.header("User-Agent", "bot").body(b"woof".to_vec()).send();
        assert_eq!(seen.status, status, "{name}: {}", seen.text);
    }
    assert_eq!(setting.requests_upstream(), 0);
}

/// With the API key of one of the policy's consumers, or of nobody.
fn with_key(setting: &Setting, route: &str, who: &str) -> Answer {
    let key = if who.is_empty() { String::new() } else { setting.key(who) };
    let headers = [("X-API-Key", key.as_str())];
    raw::get(setting.proxy(), &format!("/{route}/anything"), if who.is_empty() { &[] } else { &headers })
}

/// With a key for Kong's key-auth.
fn of_kong(setting: &Setting, route: &str, key: &str) -> Answer {
    raw::get(setting.proxy(), &format!("/{route}/anything"), &[("apikey", key)])
}

/// Checks that a policy has decided. `status`: that of the rejection, or `None` if the policy allows the request, so that
/// another plugin may answer.
fn assert_answer(seen: &Answer, status: Option<u16>, here: &str) {
    if !is_plugin() {
        // Allowed or not, the filter has not decided by then.
        assert_eq!(seen.status, 503, "{here}: {seen:?}");
        assert!(!seen.body.contains("answered"), "{here}: {seen:?}");
        return;
    }
    match status {
        Some(status) => assert_eq!(seen.status, status, "{here}: {seen:?}"),
        None => assert!((200..400).contains(&seen.status), "{here}: {seen:?}"),
    }
}

/// Whether mtls-policy runs as a Lua plugin, and not as a filter.
fn is_plugin() -> bool {
    lacks(Ability::RunsFilters).is_some()
}

/// Routes `SERVICE-AUTHENTICATION-NAME` for each of [`ANSWERS`].
fn answering() -> Setting {
    needs(Ability::KongsOwn);
    let routes = |service: &str| {
        let route = |(name, plugin): &(&str, &str)| {
            format!(
                "  - {{name: {service}-key-{name}, paths: [/{service}-key-{name}], plugins: [{BY_KEY}, {plugin}]}}\n  \
                 - {{name: {service}-gateway-{name}, paths: [/{service}-gateway-{name}], plugins: [{{name: key-auth}}, {OF_GATEWAY}, {plugin}]}}\n  \
                 - {{name: {service}-nobody-{name}, paths: [/{service}-nobody-{name}], plugins: [{OF_GATEWAY}, {plugin}]}}\n"
            )
        };
        ANSWERS.iter().map(route).collect()
    };
    Setting::up(&services(&routes), &[("untrusted_lua", "on")]).unwrap()
}

/// A service with upstream-mtls, `with`, and one without, `without`, with routes by these names.
fn services(routes: &dyn Fn(&str) -> String) -> String {
    format!(
        r#"_format_version: "3.0"
consumers:
- {{username: bob, keyauth_credentials: [{{key: bob-key}}]}}
- {{username: carl, keyauth_credentials: [{{key: carl-key}}]}}
services:
- name: with
  url: https://dogcatcher-api:5443
  plugins: [{}]
  routes:
{}- name: without
  url: https://dogcatcher-api:5443
  routes:
{}"#,
        upstream_mtls(""),
        routes("with"),
        routes("without")
    )
}

/// Kong's proxy-cache, which keeps responses in a shared dictionary.
fn cache(dictionary: &str) -> String {
    format!(
        "{{name: proxy-cache, config: {{strategy: memory, content_type: [application/json], cache_ttl: 300, \
         memory: {{dictionary_name: {dictionary}}}}}}}"
    )
}

const BY_KEY: &str = "{name: mtls-policy, config: {key_names: [X-API-Key], client_certificate: kong-client, \
    consumers: [{username: ann, keys: [{id: '1', sha256: <ann>}]}, {username: eve, keys: [{id: '2', sha256: <eve>}]}], \
    rules: [{match: {consumers: [eve]}, deny: {}}]}}";

const OF_GATEWAY: &str = "{name: mtls-policy, config: {authentication: gateway, client_certificate: kong-client, \
    rules: [{match: {consumers: [carl]}, deny: {}}]}}";
