//! With `hide_credentials`, no API key reaches the upstream in a body, or a log plugin in the request's URI.

use std::fs;
use std::time::{Duration, Instant};

use harness::gateway::Ability;
use tests::config::with_policy;
use tests::{Setting, needs, tests};

tests![
    time_of_a_body_is_linear_in_its_size,
    hidden_key_is_in_no_body_that_is_forwarded,
    hidden_key_is_in_no_entry_of_a_log_plugin,
    plain_bodies_without_a_key_are_forwarded_unchanged,
];

/// Each is sent with a key in a header too, to routes with and without `anonymous`.
fn hidden_key_is_in_no_body_that_is_forwarded() {
    needs(Ability::ReadsBodies);
    let anonymous = "  - name: open
    paths: [/open]
    plugins: [{name: mtls-policy, config: {key_names: [X-API-Key], hide_credentials: true, key_in_body: true,
      client_certificate: kong-client, anonymous: guest,
      consumers: [{username: guest}, {username: model-citizen, keys: [{id: '1', sha256: <model-citizen>}]}]}}]
";
    let setting = Setting::with_routes("key_in_body: true\nclient_certificate: kong-client", anonymous);
    let key = setting.key("model-citizen");
    let (mut leaks, mut wrong) = (Vec::new(), Vec::new());
    for (name, content_type, body) in bodies(&key) {
        for (route, with_header) in [("dogs", false), ("dogs", true), ("open", false), ("open", true)] {
            let before = setting.requests_upstream();
            let mut request = setting.request("POST", &format!("/{route}/api/echo/it"));
            if with_header {
                request = request.key("model-citizen");
            }
            if !content_type.is_empty() {
                request = request.header("Content-Type", content_type);
            }
            let seen = request.body(body.clone()).send();
            let here =
                format!("{name}, {route}, {}", if with_header { "key in a header too" } else { "no header" });
            if seen.status == 200 {
                if seen.text.contains(&key) {
                    leaks.push(here);
                }
                continue;
            }
            if !matches!(seen.status, 400 | 401 | 413 | 415) {
                wrong.push(format!("{here}: {} {}", seen.status, seen.text));
            }
            assert_eq!(setting.requests_upstream(), before, "{here}: rejected, and sent all the same");
        }
    }
    assert!(
        leaks.is_empty() && wrong.is_empty(),
        "{} requests took the key to the upstream:\n{}\n{}",
        leaks.len(),
        leaks.join("\n"),
        wrong.join("\n")
    );
}

/// Name, content type and body, each with the key in it.
fn bodies(key: &str) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let fields = |count: usize| (0..count).map(|number| format!("f{number}=1&")).collect::<String>();
    let members = |count: usize| (0..count).map(|number| format!("\"f{number}\":1,")).collect::<String>();
    let part = |disposition: &str, value: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    };
    let quoted = part(r#"name="X-API-Key""#, key);
    let end = format!("--{BOUNDARY}--\r\n");
    let large = "x".repeat(20_000);
    let other_parts: String = (0..150).map(|number| part(&format!("name=\"f{number}\""), "1")).collect();
    let text = |body: String| body.into_bytes();
    vec![
        ("form", FORM, text(format!("a=1&X-API-Key={key}"))),
        ("form, 99 fields before", FORM, text(format!("{}X-API-Key={key}", fields(99)))),
        ("form, 100 fields before", FORM, text(format!("{}X-API-Key={key}", fields(100)))),
        ("form, 150 fields before", FORM, text(format!("{}X-API-Key={key}", fields(150)))),
        ("form, 500 fields before", FORM, text(format!("{}X-API-Key={key}", fields(500)))),
        (
            "form, twice, 150 fields between",
            FORM,
            text(format!("X-API-Key={key}&{}X-API-Key={key}", fields(150))),
        ),
        ("form, 1,200 fields before, spilled", FORM, text(format!("{}X-API-Key={key}", fields(1_200)))),
        ("form, spilled to a file", FORM, text(format!("X-API-Key={key}&a={large}"))),
        ("form, spilled, at the end", FORM, text(format!("a={large}&X-API-Key={key}"))),
        ("form, percent-encoded name", FORM, text(format!("a=1&X%2DAPI-Key={key}"))),
        (
            "form, with a charset",
            "application/x-www-form-urlencoded; charset=utf-8",
            text(format!("X-API-Key={key}")),
        ),
        ("form, odd case of the type", "Application/X-WWW-Form-URLEncoded", text(format!("X-API-Key={key}"))),
        ("JSON", JSON, text(format!(r#"{{"a":1,"X-API-Key":"{key}"}}"#))),
        ("JSON, 150 members before", JSON, text(format!(r#"{{{}"X-API-Key":"{key}"}}"#, members(150)))),
        ("JSON, spilled to a file", JSON, text(format!(r#"{{"a":"{large}","X-API-Key":"{key}"}}"#))),
        ("JSON, escaped name", JSON, text(format!(r#"{{"X\u002dAPI-Key":"{key}"}}"#))),
        ("JSON, twice", JSON, text(format!(r#"{{"X-API-Key":"{key}","X-API-Key":"{key}"}}"#))),
        ("JSON, cut off", JSON, text(format!(r#"{{"X-API-Key":"{key}""#))),
        ("JSON, something behind it", JSON, text(format!(r#"{{"X-API-Key":"{key}"}} x"#))),
        ("JSON, a comma too many", JSON, text(format!(r#"{{"X-API-Key":"{key}",}}"#))),
        ("JSON, single quotes", JSON, text(format!("{{'X-API-Key':'{key}'}}"))),
        ("JSON, with a byte order mark", JSON, text(format!("\u{feff}{{\"X-API-Key\":\"{key}\"}}"))),
        ("JSON that is a form", JSON, text(format!("X-API-Key={key}"))),
        ("JSON of a vendor", "application/vnd.dogs+json", text(format!(r#"{{"X-API-Key":"{key}"}}"#))),
        ("text", "text/plain", text(format!("X-API-Key={key}"))),
        ("XML", "application/xml", text(format!("<X-API-Key>{key}</X-API-Key>"))),
        ("bytes", "application/octet-stream", text(format!("X-API-Key={key}"))),
        ("without a type", "", text(format!("X-API-Key={key}"))),
        ("type without a subtype", "application", text(format!("X-API-Key={key}"))),
        ("multipart", MULTIPART, text(format!("{quoted}{end}"))),
        ("multipart, unquoted name", MULTIPART, text(part("name=X-API-Key", key) + &end)),
        ("multipart, spaces", MULTIPART, text(part(r#"name = "X-API-Key""#, key) + &end)),
        ("multipart, NAME", MULTIPART, text(part(r#"NAME="X-API-Key""#, key) + &end)),
        ("multipart, a file", MULTIPART, text(part(r#"name="X-API-Key"; filename="key.txt""#, key) + &end)),
        (
            "multipart, the file's name first",
            MULTIPART,
            text(part(r#"filename="a"; name="X-API-Key""#, key) + &end),
        ),
        ("multipart, extended name", MULTIPART, text(part("name*=utf-8''X-API-Key", key) + &end)),
        ("multipart, twice", MULTIPART, text(format!("{quoted}{quoted}{end}"))),
        ("multipart, 150 parts before", MULTIPART, text(format!("{other_parts}{quoted}{end}"))),
        ("multipart, spilled to a file", MULTIPART, text(part("name=\"a\"", &large) + &quoted + &end)),
        ("multipart, without its end", MULTIPART, text(quoted.clone())),
        ("multipart, a preamble", MULTIPART, text(format!("X-API-Key={key}\r\n{quoted}{end}"))),
        ("multipart, an epilogue", MULTIPART, text(format!("{quoted}{end}X-API-Key={key}"))),
        ("multipart, line feeds", MULTIPART, text(format!("{quoted}{end}").replace("\r\n", "\n"))),
        (
            "multipart, another boundary",
            "multipart/form-data; boundary=other",
            text(format!("{quoted}{end}")),
        ),
        ("multipart, no boundary", "multipart/form-data", text(format!("{quoted}{end}"))),
        (
            "multipart, quoted boundary",
            "multipart/form-data; boundary=\"kennel\"",
            text(format!("{quoted}{end}")),
        ),
        ("form, semicolons", FORM, text(format!("a=1;X-API-Key={key}"))),
        ("form, many fields", FORM, text(format!("{}X-API-Key={key}", "a&".repeat(100_000)))),
        (
            "JSON, in another charset",
            "application/json; charset=utf-16",
            text(format!(r#"{{"X-API-Key":"{key}"}}"#)),
        ),
        ("multipart, escaped name", MULTIPART, text(part(r#"name="X-API\-Key""#, key) + &end)),
        ("multipart, single quotes", MULTIPART, text(part("name='X-API-Key'", key) + &end)),
        ("multipart, folded header", MULTIPART, text(part("x=y;\r\n name=X-API-Key", key) + &end)),
        (
            "multipart, many spaces",
            MULTIPART,
            text(part(&format!("name{}=X-API-Key", " ".repeat(40_000)), key) + &end),
        ),
        ("multipart, mixed", "multipart/mixed; boundary=kennel", text(format!("{quoted}{end}"))),
    ]
}

/// A body of four times the size takes less than eight times as long, and the worker answers after it.
fn time_of_a_body_is_linear_in_its_size() {
    needs(Ability::ReadsBodies);
    let setting = Setting::new("key_in_body: true\nclient_certificate: kong-client");
    let spaces = |count: usize| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name{}\r\n\r\n1\r\n--{BOUNDARY}--\r\n",
            " ".repeat(count)
        )
    };
    let fields = |count: usize| "a&".repeat(count);
    let members = |count: usize| format!("{{{}\"b\":1}}", "\"a\":1,".repeat(count));
    let time = |content_type: &str, body: String| {
        let once = || {
            let start = Instant::now();
            let request = setting.request("POST", "/dogs/api/echo/it").header("Content-Type", content_type);
            let seen = request.body(body.clone().into_bytes()).send();
            assert!(matches!(seen.status, 400 | 401), "{content_type}: {}", seen.status);
            start.elapsed()
        };
        (0..5).map(|_| once()).min().unwrap_or(Duration::MAX)
    };
    type Bodies<'b> = &'b dyn Fn(usize) -> String;
    let rows =
        [(MULTIPART, &spaces as Bodies<'_>, 20_000), (FORM, &fields, 125_000), (JSON, &members, 50_000)];
    for (content_type, body, count) in rows {
        let (small, large) = (time(content_type, body(count)), time(content_type, body(16 * count)));
        // Of a quadratic time, 256 times as long.
        assert!(large < small * 100, "{content_type}: {count} take {small:?}, 16 times as many {large:?}");
        assert_eq!(setting.get("/dogs/anything").key("model-citizen").send().status, 200);
    }
}

fn plain_bodies_without_a_key_are_forwarded_unchanged() {
    needs(Ability::ReadsBodies);
    let setting = Setting::new("key_in_body: true\nclient_certificate: kong-client");
    let many: String = (0..90).map(|number| format!("f{number}=%2f+{number}&")).collect();
    let part =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--{BOUNDARY}--\r\n");
    let rows = [
        (FORM, "b=2&a=%41&c".to_owned()),
        (FORM, many + "z"),
        (JSON, r#"{ "b": [1, 2.50, {}], "a": null }"#.to_owned()),
        (MULTIPART, part),
    ];
    for (content_type, body) in rows {
        let request = setting.request("POST", "/dogs/api/echo/it").key("model-citizen");
        let seen = request.header("Content-Type", content_type).body(body.clone().into_bytes()).send();
        assert_eq!((seen.status, seen.text.as_str()), (200, body.as_str()), "{content_type}");
    }
}

fn hidden_key_is_in_no_entry_of_a_log_plugin() {
    needs(Ability::KongsOwn);
    let directory = tempfile::Builder::new().prefix("file-log-").tempdir().unwrap();
    let file = directory.path().join("entries");
    let config = with_policy("key_names: [X-API-Key, api-token]\nclient_certificate: kong-client", "")
        + &format!("  - name: open
    paths: [/open]
    plugins: [{{name: mtls-policy, config: {{key_names: [X-API-Key], hide_credentials: true, client_certificate: kong-client,
      anonymous: guest, consumers: [{{username: guest}}, {{username: intern, keys: [{{id: '1', sha256: <intern>}}]}}],
      rules: [{{match: {{consumers: [intern]}}, deny: {{}}}}]}}}}]
- name: none
  url: https://dogcatcher-api:5443
  routes:
  - {{name: without-upstream-mtls, paths: [/without], plugins: [{{name: mtls-policy, config: {{hide_credentials: true,
      key_names: [X-API-Key], client_certificate: kong-client, consumers: [{{username: vet, keys: [{{id: '1', sha256: <vet>}}]}}]}}}}]}}
plugins:
- {{name: file-log, config: {{path: {}, reopen: true}}}}
", file.display());
    let setting = Setting::of(&config);
    let (citizen, intern, vet) = (setting.key("model-citizen"), setting.key("intern"), setting.key("vet"));
    let wrong = "wrong-key-of-nobody";
    let escaped = harness::stack::escaped(&citizen);
    // Target and status.
    let targets = [
        (format!("/dogs/anything?a=1&X-API-Key={citizen}"), 200),
        (format!("/dogs/anything?X%2DAPI-Key={citizen}&b"), 200),
        (format!("/dogs/anything?api-token={escaped}"), 200),
        (format!("/dogs/anything?X-API-Key={citizen}&api-token={citizen}"), 200),
        (format!("/dogs/anything?X-API-Key={citizen}&X-API-Key={citizen}"), 401),
        (format!("/dogs/anything?X-API-Key={wrong}"), 401),
        (format!("/dogs/anything?{}X-API-Key={citizen}", "a=1&".repeat(150)), 200),
        (format!("/open/anything?X-API-Key={wrong}"), 200),
        (format!("/open/anything?X-API-Key={intern}"), 403),
        (format!("/without/anything?X-API-Key={vet}"), 503),
    ];
    for (target, status) in &targets {
        let seen = setting.get(target).send();
        assert_eq!(seen.status, *status, "{target}: {}", seen.text);
    }
    let header = setting.get("/dogs/anything?kept=yes").key("model-citizen").send();
    assert_eq!(header.status, 200);
    let entries = || fs::read_to_string(&file).unwrap_or_default();
    setting.wait_until("all entries are logged", || {
        entries().ends_with('\n') && entries().lines().count() > targets.len()
    });
    let mut leaks = Vec::new();
    for line in entries().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let lower_case = escaped.to_lowercase();
        for secret in [&citizen, &intern, &vet, wrong, &escaped, &lower_case] {
            let has_key = |value: &serde_json::Value| value.to_string().contains(secret);
            let request = entry["request"].as_object().unwrap();
            let fields =
                request.iter().filter(|(_, value)| has_key(value)).map(|(name, _)| format!("request.{name}"));
            let mut places: Vec<_> = fields.collect();
            if places.is_empty() && has_key(&entry) {
                places.push("outside of request".to_owned());
            }
            if !places.is_empty() {
                leaks.push(format!(
                    "{} {}: {}",
                    entry["response"]["status"],
                    entry["request"]["uri"],
                    places.join(", ")
                ));
            }
        }
    }
    assert!(leaks.is_empty(), "a key is in these entries:\n{}", leaks.join("\n"));
    assert!(entries().contains("kept=yes"), "what is no key is logged as it was");
}

const FORM: &str = "application/x-www-form-urlencoded";

const JSON: &str = "application/json";

const MULTIPART: &str = "multipart/form-data; boundary=kennel";

const BOUNDARY: &str = "kennel";
