#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::*;

const NAMES: [&[u8]; 2] = [b"apikey", b"api_key"];
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=b";

fn kind(content_type: &str) -> Kind {
    match content_type.as_bytes()[0] {
        b'm' => Kind::Multipart,
        _ if content_type.contains("json") => Kind::Json,
        _ => Kind::Form,
    }
}

/// Values, joined by commas, and the body without the fields; or the status.
fn read_all(content_type: &str, body: &str) -> Result<(String, String), u16> {
    let kind = kind(content_type);
    let found = read(kind, content_type.as_bytes(), body.as_bytes(), &NAMES).map_err(|error| error.status)?;
    let values: Vec<_> =
        found.values.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
    Ok((values.join(","), String::from_utf8(found.remove_from(kind, body.as_bytes())).unwrap()))
}

fn part(disposition: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
}

#[test]
fn named_fields_are_read_and_removed() {
    let rows = [
        (FORM, "a=1&apikey=k&b=2", "k", "a=1&b=2"),
        (FORM, "a=%31&apikey=k&b=2&%61pikey=l&api_key=m", "k,l,m", "a=%31&b=2"),
        (FORM, "apikey", "", ""),
        (FORM, "api%5fkey=a%20b+c%zz", "a b c%zz", ""),
        (FORM, "apikey=1&apikey=2&apikey=3", "1,2", ""),
        (JSON, r#"{"apikey":"k", "a" : 1.0,"api_key":"l" }"#, "k,l", r#"{ "a" : 1.0 }"#),
        (JSON, r#"{"apikey":"k"}"#, "k", "{}"),
        (JSON, r#"{"a":[{}],"apikey":"k","b":2}"#, "k", r#"{"a":[{}],"b":2}"#),
        (JSON, r#"{"\u0061pikey":"\u006b"}"#, "k", "{}"),
        (JSON, r#"{"apikey":"a","apikey":"b","c":0}"#, "b", r#"{"c":0}"#),
        (JSON, r#"{"apikey":1,"c":0}"#, "", r#"{"c":0}"#),
        (JSON, r#"{"apikey":[],"c":0}"#, ",", r#"{"c":0}"#),
        (JSON, r#"[{"apikey":"k"}]"#, "", r#"[{"apikey":"k"}]"#),
        (JSON, "null", "", "null"),
    ];
    for (content_type, body, values, rest) in rows {
        assert_eq!(read_all(content_type, body), Ok((values.to_owned(), rest.to_owned())), "{body}");
    }
    let kept = part("name=\"a\"; filename=\"x.txt\"", "1\r\n--not\r\n2");
    for disposition in
        ["name=\"apikey\"", "name=apikey", "NAME = \"apikey\"", "filename=\"a\"; name=\"apikey\""]
    {
        let body = format!("{}{kept}--b--\r\n", part(disposition, "k"));
        assert_eq!(
            read_all(MULTIPART, &body),
            Ok(("k".to_owned(), format!("{kept}--b--\r\n"))),
            "{disposition}"
        );
    }
}

#[test]
fn ambiguous_bodies_are_rejected() {
    let dispositions = [
        "x=y",
        "name*=utf-8''apikey",
        "name*0=api; name*1=key",
        "name=\"a\"; name=\"apikey\"",
        "name='apikey'",
        "name=\"api\\key\"",
        "filename=\"a\\\"; name=\"apikey\"",
        "name=\"=?utf-8?q?apikey?=\"",
        "name=\"a\"\r\n ; name=\"apikey\"",
        "name=\"a\"\r\nContent-Disposition: form-data; name=\"apikey\"",
        "name=\"a\"\r\nContent-Disposition : form-data; name=\"apikey\"",
        "name=\"a\n\"",
        "name=\"a\"x",
    ];
    for disposition in dispositions {
        assert_eq!(read_all(MULTIPART, &(part(disposition, "k") + "--b--")), Err(400), "{disposition}");
    }
    let good = part("name=a", "k");
    let rows = [
        (MULTIPART, format!("x{good}--b--"), 400),
        (MULTIPART, format!("{good}--b--x"), 400),
        (MULTIPART, format!("--bx{}--b--", &good[3..]), 400),
        (MULTIPART, good.clone(), 400),
        ("multipart/form-data", good.clone() + "--b--", 400),
        ("multipart/form-data; boundary=a; boundary=b", good.clone() + "--b--", 400),
        ("application/json; charset=utf-16", "{}".to_owned(), 415),
        ("application/json; charset=\"IBM037\"", "{}".to_owned(), 415),
        (JSON, "\u{feff}{}".to_owned(), 400),
        (JSON, "{\0}\0".to_owned(), 400),
        (JSON, r#"{"apikey":"\ud800"}"#.to_owned(), 400),
        (JSON, r#"{"a":1,}"#.to_owned(), 400),
        (JSON, r#"{"a":1} x"#.to_owned(), 400),
        (FORM, "a=1;apikey=k".to_owned(), 400),
    ];
    for (content_type, body, status) in rows {
        assert_eq!(read_all(content_type, &body), Err(status), "{content_type}: {body}");
    }
}

/// Prints how long each takes; the limit allows for an unoptimized build.
#[test]
fn every_body_is_read_in_linear_time() {
    const SIZE: usize = 10 * 1024 * 1024;
    let fill = |text: &str| text.repeat(SIZE / text.len());
    let end = "--b--\r\n";
    let long = format!("multipart/form-data; boundary={}", "b".repeat(4_000));
    let rows = [
        ("fields", FORM, fill("a&")),
        ("keys", FORM, fill("apikey&")),
        ("separators", FORM, fill("&")),
        ("semicolons", FORM, fill(";")),
        ("escapes", FORM, fill("%61")),
        ("escaped names", FORM, fill("%61&")),
        ("nesting", JSON, fill("[")),
        ("closed nesting", JSON, format!("{{\"a\":{}{}}}", "[".repeat(SIZE / 2), "]".repeat(SIZE / 2))),
        ("members", JSON, format!("{{{}\"b\":1}}", fill("\"a\":1,"))),
        ("empty members", JSON, format!("{{{}\"\":1}}", fill("\"\":1,"))),
        ("key members", JSON, format!("{{{}\"b\":1}}", fill("\"apikey\":1,"))),
        ("key strings", JSON, format!("{{{}\"b\":1}}", fill("\"apikey\":\"\\n\",\"a\":1,"))),
        ("elements", JSON, format!("[{}1]", fill("1,"))),
        ("string escapes", JSON, format!("{{\"apikey\":\"{}\"}}", fill("\\u0061"))),
        ("name escapes", JSON, format!("{{\"{}\":1}}", fill("\\n"))),
        ("parts", MULTIPART, fill("--b\nContent-Disposition:;name=a\n\n\n") + end),
        ("key parts", MULTIPART, fill("--b\nContent-Disposition:;name=apikey\n\n\n") + end),
        ("line feeds", MULTIPART, part("name=a", &fill("\n")) + end),
        ("near misses", MULTIPART, part("name=a", &fill("\n--a")) + end),
        ("spaces", MULTIPART, part(&format!("name{}", fill(" ")), "k") + end),
        ("names and spaces", MULTIPART, part(&fill("name "), "k") + end),
        ("names", MULTIPART, part(&fill(" name=a;"), "k") + end),
        ("header lines", MULTIPART, part(&format!("name=a\r\n{}x:y", fill("a:b\r\n")), "k") + end),
        (
            "long near misses",
            &long,
            format!("--{}\r\n", "b".repeat(4_000)) + &fill(&format!("\n--{}", "b".repeat(3_999))),
        ),
    ];
    for (what, content_type, body) in rows {
        let kind = kind(content_type);
        let start = Instant::now();
        let length = read(kind, content_type.as_bytes(), body.as_bytes(), &NAMES).map(|found| {
            if found.is_any() { found.remove_from(kind, body.as_bytes()).len() } else { body.len() }
        });
        let taken = start.elapsed();
        println!("{what}: {taken:?} {length:?}");
        assert!(taken < Duration::from_secs(20), "{what}: {taken:?}");
    }
}
