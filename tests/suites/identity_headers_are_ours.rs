//! What a client says about who it is never passes, in any spelling, whatever becomes of the request.

use tests::{Setting, raw, tests};

tests![
    a_spoofed_identity_passes_in_no_outcome,
    the_upstream_hears_who_it_is,
    the_upstream_hears_that_nobody_in_particular_is_asking,
    a_connection_header_cannot_strip_what_the_gateway_says,
    behind_any_number_of_headers_a_spoofed_identity_is_found,
    many_different_headers_hide_nothing_from_the_policy,
];

const SPOOFED: [&str; 12] = [
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-Consumer-Username",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
    "x-consumer-username",
    "X_Consumer_Username",
    "x_consumer_id",
    "X-Consumer_Custom-ID",
    "X_Credential_Identifier",
    "X_Anonymous_Consumer",
    "X-CONSUMER-ID",
];

fn a_spoofed_identity_passes_in_no_outcome() {
    let setting = Setting::new("anonymous: guest\nrun_on_preflight: false\nclient_certificate: kong-client");
    let key = setting.key("model-citizen");
    let outcomes =
        [("allowed", "GET", key.as_str()), ("anonymous", "GET", "wrong"), ("preflight", "OPTIONS", "")];
    for (outcome, method, key) in outcomes {
        for name in SPOOFED {
            let request = format!(
                "{method} /dogs/anything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 X-API-Key: {key}\r\n{name}: the-warden\r\n{name}: the-warden-again\r\n\r\n"
            );
            let answer = raw::send(setting.proxy(), request.as_bytes());
            assert_eq!(answer.status, 200, "{outcome}, {name}: {}", answer.body);
            assert!(!answer.body.contains("the-warden"), "{outcome}, {name}: {}", answer.body);
        }
    }
}

fn the_upstream_hears_who_it_is() {
    let setting = Setting::new("client_certificate: kong-client");
    let seen = setting.get("/dogs/anything").key("vet").send();
    assert_eq!(seen.header("x-consumer-username"), ["vet"]);
    assert_eq!(seen.header("x-consumer-id"), ["7c1e0000-0000-4000-8000-000000000001"]);
    assert_eq!(seen.header("x-consumer-custom-id"), ["vet-1"]);
    assert_eq!(seen.header("x-credential-identifier"), ["1"]);
    assert!(seen.header("x-anonymous-consumer").is_empty());
}

fn the_upstream_hears_that_nobody_in_particular_is_asking() {
    let setting = Setting::new("anonymous: guest\nclient_certificate: kong-client");
    let seen = setting.get("/dogs/anything").send();
    assert_eq!(seen.header("x-consumer-username"), ["guest"]);
    assert_eq!(seen.header("x-anonymous-consumer"), ["true"]);
    assert!(seen.header("x-credential-identifier").is_empty());
}

fn a_connection_header_cannot_strip_what_the_gateway_says() {
    let setting = Setting::new("client_certificate: kong-client");
    let key = setting.key("vet");
    let request = format!(
        "GET /dogs/anything HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\
         Connection: close, X-Consumer-Username, X-Consumer-ID\r\n\r\n"
    );
    let answer = raw::send(setting.proxy(), request.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("x-consumer-username") && answer.body.contains("x-consumer-id"),
        "{answer:?}"
    );
}

/// Kong's own `get_headers` ends at the hundredth, where nginx takes as many as there is room for.
fn behind_any_number_of_headers_a_spoofed_identity_is_found() {
    let setting = Setting::new("anonymous: guest\nclient_certificate: kong-client");
    let key = setting.key("model-citizen");
    let mut passed = 0;
    for number in [10, 90, 99, 100, 101, 500, 1_000, 1_500, 5_000, 50_000] {
        let many = "X: y\r\n".repeat(number);
        for (key, owed) in [(&key, "model-citizen"), (&"wrong".to_owned(), "guest")] {
            let request = format!(
                "GET /dogs/anything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{many}X-Consumer-Username: the-warden\r\n\
                 X_Consumer_Username: the-warden\r\nX-API-Key: {key}\r\n\r\n"
            );
            let answer = raw::send(setting.proxy(), request.as_bytes());
            if answer.status == 200 {
                passed += 1;
                assert!(!answer.body.contains("the-warden"), "{number}: {}", answer.body);
                assert!(
                    answer.body.contains(&format!("[\"x-consumer-username\",\"{owed}\"]")),
                    "{number}: {}",
                    answer.body
                );
                assert!(!answer.body.contains("x-api-key"), "{number}: {}", answer.body);
            } else {
                assert!(matches!(answer.status, 0 | 400 | 431 | 494), "{number}: {answer:?}");
            }
        }
    }
    println!("{passed} requests passed");
    assert!(passed > 0);
}

/// ngx_wasm_module shows a filter the first hundred headers, where nginx sends all of them.
fn many_different_headers_hide_nothing_from_the_policy() {
    let setting = Setting::new(
        "client_certificate: kong-client
rules: [{match: {headers: {X-Env: [test]}}, deny: {}}]",
    );
    let key = setting.key("model-citizen");
    let mut passed = 0;
    for number in [0, 10, 50, 80, 85, 90, 95, 97, 99, 100, 101, 150] {
        let many: String = (0..number).map(|each| format!("H{each}: 1\r\n")).collect();
        for (more, denied) in [("X-Env: test\r\n", true), ("X-Consumer-Groups: the-warden\r\n", false)] {
            let request = format!(
                "GET /dogs/anything HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{many}{more}X-API-Key: {key}\r\n\r\n"
            );
            let answer = raw::send(setting.proxy(), request.as_bytes());
            if answer.status == 200 {
                passed += 1;
                assert!(!denied, "{number}: {}", answer.body);
                assert!(!answer.body.contains("the-warden"), "{number}: {}", answer.body);
                assert!(!answer.body.contains(&key), "{number}: {}", answer.body);
            } else {
                let expected =
                    matches!(answer.status, 400 | 401 | 431 | 494) || denied && answer.status == 403;
                assert!(expected, "{number}: {answer:?}");
            }
        }
    }
    assert!(passed > 0);
}
