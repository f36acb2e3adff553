//! A hidden API key reaches no upstream and no log, wherever the client put it and whatever became of it.

use tests::{Setting, raw, tests};

tests![
    a_hidden_key_reaches_no_upstream_from_any_place,
    hiding_a_query_key_leaves_the_other_arguments_byte_for_byte,
    a_key_is_left_where_it_is_unless_it_is_to_be_hidden,
    behind_any_number_of_arguments_a_key_is_found_and_hidden,
    behind_any_number_of_cookies_a_key_is_found_and_hidden,
];

const POLICY: &str = "key_names: [X-API-Key, api-token]
key_authorization: Bearer
key_cookies: [session]
anonymous: guest
client_certificate: kong-client";

fn a_hidden_key_reaches_no_upstream_from_any_place() {
    let setting = Setting::new(POLICY);
    let key = setting.key("model-citizen");
    let wrong = "wrong-key-of-nobody";
    let (behind, among) = (format!("Bearer {key}"), format!("a=1; session={key}; b=2"));
    // Target, headers, and who the upstream hears is calling.
    let rows = [
        ("header", "/dogs/anything".to_owned(), vec![("X-API-Key", key.as_str())]),
        ("header in another case", "/dogs/anything".to_owned(), vec![("x-aPI-key", &key)]),
        ("query", format!("/dogs/anything?X-API-Key={key}"), vec![]),
        ("query, percent-encoded name", format!("/dogs/anything?X%2DAPI-Key={key}&a=1"), vec![]),
        ("header and query", format!("/dogs/anything?X-API-Key={key}"), vec![("X-API-Key", &key)]),
        ("two names", format!("/dogs/anything?api-token={key}"), vec![("X-API-Key", &key)]),
        ("wrong key, so anonymous", "/dogs/anything".to_owned(), vec![("X-API-Key", wrong)]),
        ("wrong key in the query", format!("/dogs/anything?api-token={wrong}"), vec![]),
        ("twice, so anonymous", "/dogs/anything".to_owned(), vec![("X-API-Key", &key), ("X-API-Key", wrong)]),
        ("twice in the query", format!("/dogs/anything?X-API-Key={key}&X-API-Key={wrong}"), vec![]),
        ("behind a scheme", "/dogs/anything".to_owned(), vec![("Authorization", &behind)]),
        ("in a cookie", "/dogs/anything".to_owned(), vec![("Cookie", &among)]),
        (
            "all at once",
            format!("/dogs/anything?api-token={key}"),
            vec![("X-API-Key", &key), ("Authorization", &behind), ("Cookie", &among), ("Cookie", &among)],
        ),
    ];
    for (place, target, headers) in rows {
        let answer = raw::get(setting.proxy(), &target, &headers);
        assert_eq!(answer.status, 200, "{place}: {}", answer.body);
        // Dogcatcher's answer tells the URI and every header that it saw.
        assert!(!answer.body.contains(&key) && !answer.body.contains(wrong), "{place}: {}", answer.body);
    }
    let log = setting.log();
    assert!(!log.contains(&key) && !log.contains(wrong), "{log}");
}

fn hiding_a_query_key_leaves_the_other_arguments_byte_for_byte() {
    let setting = Setting::new("client_certificate: kong-client");
    let key = setting.key("model-citizen");
    let target = format!("/dogs/anything?b=%2f+%20&&a&X-API-Key={key}&c=%zz&=");
    let answer = raw::get(setting.proxy(), &target, &[]);
    let seen: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(seen["uri"], "/anything?b=%2f+%20&&a&c=%zz&=");
}

fn a_key_is_left_where_it_is_unless_it_is_to_be_hidden() {
    let setting = Setting::new("hide_credentials: false\nclient_certificate: kong-client");
    let seen = setting.get("/dogs/anything").key("model-citizen").send();
    assert_eq!(seen.header("x-api-key"), [setting.key("model-citizen")]);
}

/// Kong's own `get_uri_args` ends at the hundredth.
fn behind_any_number_of_arguments_a_key_is_found_and_hidden() {
    let setting = Setting::new(POLICY);
    let key = setting.key("model-citizen");
    for number in [10, 99, 100, 101, 500, 1_500] {
        let many = "a=1&".repeat(number);
        for (keys, owed) in [
            (format!("X-API-Key={key}"), "model-citizen"),
            (format!("X-API-Key={key}&X%2DAPI-Key={key}"), "guest"),
            (format!("api-token=wrong&{many}X-API-Key={key}"), "model-citizen"),
        ] {
            let answer = raw::get(setting.proxy(), &format!("/dogs/anything?{many}{keys}"), &[]);
            if matches!(answer.status, 414 | 431) {
                continue;
            }
            assert_eq!(answer.status, 200, "{number}: {answer:?}");
            assert!(
                !answer.body.contains(&key) && !answer.body.contains("wrong"),
                "{number}: {}",
                answer.body
            );
            assert!(
                answer.body.contains(&format!("[\"x-consumer-username\",\"{owed}\"]")),
                "{number}: {}",
                answer.body
            );
        }
    }
}

fn behind_any_number_of_cookies_a_key_is_found_and_hidden() {
    let setting = Setting::new(POLICY);
    let key = setting.key("model-citizen");
    for number in [10, 100, 1_000] {
        let many = "a=1; ".repeat(number);
        for (keys, owed) in [
            (format!("{many}session={key}"), "model-citizen"),
            (format!("session={key}; {many}session=wrong"), "guest"),
            (format!("{many}b={}; session={key}", "x".repeat(10 * number)), "model-citizen"),
        ] {
            let answer = raw::get(setting.proxy(), "/dogs/anything", &[("Cookie", &keys)]);
            if matches!(answer.status, 400 | 431) {
                // Longer than this server takes.
                assert!(number > 100, "{number}: {answer:?}");
                continue;
            }
            assert_eq!(answer.status, 200, "{number}: {answer:?}");
            let seen = &answer.body;
            assert!(!seen.contains(&key) && !seen.contains("wrong"), "{number}: {seen}");
            assert!(seen.contains(&format!("[\"x-consumer-username\",\"{owed}\"]")), "{number}: {seen}");
            assert_eq!(seen.matches("a=1").count(), number, "{number}: {seen}");
        }
    }
}
