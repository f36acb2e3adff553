//! A refusal looks as Kong's key-auth would have written it.

use tests::{Setting, raw, request_id_header, tests};

tests![
    each_refusal_has_key_auths_status_and_words,
    a_refusal_speaks_the_clients_format,
    a_preflight_is_asked_for_its_key_unless_the_policy_lets_it_pass,
];

fn each_refusal_has_key_auths_status_and_words() {
    let setting = Setting::new("realm: dogcatcher\nclient_certificate: kong-client");
    let key = setting.key("model-citizen");
    let duplicate = format!("/dogs/anything?X-API-Key={key}&X-API-Key={key}");
    // Target, headers, message.
    let rows = [
        ("/dogs/anything", vec![], "No API key found in request"),
        ("/dogs/anything", vec![("X-API-Key", "")], "No API key found in request"),
        ("/dogs/anything?X-API-Key=", vec![], "No API key found in request"),
        ("/dogs/anything", vec![("X-API-Key", "nobody's")], "Unauthorized"),
        ("/dogs/anything?X-API-Key=nobody's", vec![], "Unauthorized"),
        ("/dogs/anything", vec![("X-API-Key", &key), ("X-API-Key", &key)], "Duplicate API key found"),
        (&duplicate, vec![], "Duplicate API key found"),
    ];
    for (target, headers, message) in rows {
        let answer = raw::get(setting.proxy(), target, &headers);
        assert_eq!(answer.status, 401, "{target} {message}");
        assert_eq!(answer.header("www-authenticate"), Some("Key realm=\"dogcatcher\""));
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["message"], message);
        assert_eq!(body["request_id"].as_str(), answer.header(request_id_header()));
        assert!(body["request_id"].is_string(), "{}", answer.body);
        assert!(answer.body.starts_with("{\n  \"message\":\""), "{}", answer.body);
    }
    assert_eq!(setting.requests_upstream(), 0);
}

fn a_refusal_speaks_the_clients_format() {
    let setting = Setting::new("client_certificate: kong-client");
    let rows = [
        ("application/json", "application/json; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("application/xml", "application/xml; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html;q=0.2, text/plain;q=0.8", "text/plain; charset=utf-8"),
        // What Kong does not know is JSON to it, and here preferred.
        ("image/png, text/html;q=0.2", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
    ];
    for (accept, owed) in rows {
        let seen = setting.get("/dogs/anything").header("Accept", accept).send();
        assert_eq!((seen.status, seen.answer_header("content-type")), (401, Some(owed)), "{accept}");
        assert!(seen.text.contains("No API key found in request"), "{accept}: {}", seen.text);
    }
}

fn a_preflight_is_asked_for_its_key_unless_the_policy_lets_it_pass() {
    let strict = Setting::new("client_certificate: kong-client");
    assert_eq!(strict.request("OPTIONS", "/dogs/anything").send().status, 401);
    let open = Setting::new("run_on_preflight: false\nclient_certificate: kong-client");
    assert_eq!(open.request("OPTIONS", "/dogs/anything").send().common_name(), Some("kong-client"));
}
