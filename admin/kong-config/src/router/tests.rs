use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::declarative;

/// A router for routes of one service each, written as JSON; a route's index is its place.
fn router(routes: &str) -> Router {
    let text = format!(
        r#"{{"_format_version": "3.0", "services": [{{"name": "dogs", "host": "dogs.example", "path": "/base"}}],
            "routes": [{routes}]}}"#
    );
    let text = text.replace("{\"r\"", "{\"service\": \"dogs\", \"name\"");
    Router::new(&declarative::parse(&text, "routes.json", &BTreeSet::new()).unwrap())
}

struct Asked<'a> {
    method: &'a str,
    host: Option<&'a str>,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

/// `GET http://any.example/`
const ASKED: Asked<'static> = Asked { method: "GET", host: Some("any.example"), target: "/", headers: &[] };

fn ask(router: &Router, asked: &Asked<'_>) -> Option<Match> {
    let mut headers = HeaderMap::new();
    for (name, value) in asked.headers {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let target = Target::parse(asked.target).unwrap();
    let Asked { method, host, .. } = *asked;
    router.route(&RouteRequest { method, host, port: 8000, target: &target, headers: &headers })
}

#[test]
fn a_request_takes_the_route_whose_conditions_it_meets() {
    struct Row {
        name: &'static str,
        route: &'static str,
        asked: Asked<'static>,
        expected: bool,
    }
    fn row(name: &'static str, route: &'static str, asked: Asked<'static>, expected: bool) -> Row {
        Row { name, route, asked, expected }
    }
    fn at(target: &'static str) -> Asked<'static> {
        Asked { target, ..ASKED }
    }
    fn host(host: &'static str) -> Asked<'static> {
        Asked { host: Some(host), ..ASKED }
    }
    fn with(headers: &'static [(&'static str, &'static str)]) -> Asked<'static> {
        Asked { headers, ..ASKED }
    }
    const DOGS: &str = r#"{"r": "a", "paths": ["/dogs"]}"#;
    const NUMBER: &str = r#"{"r": "a", "paths": ["~/dogs/\\d+$"]}"#;
    const PLAIN: &str = r#"{"r": "a", "hosts": ["dogs.example"]}"#;
    const SUB: &str = r#"{"r": "a", "hosts": ["*.dogs.example"]}"#;
    const ANY: &str = r#"{"r": "a", "hosts": ["dogs.*"]}"#;
    const PORT: &str = r#"{"r": "a", "hosts": ["dogs.example:8000"]}"#;
    const HEADER: &str = r#"{"r": "a", "headers": {"X-Shelter": ["North", "~*^s\\d$"]}}"#;
    const TWO: &str = r#"{"r": "a", "headers": {"a": ["1"], "b": ["2"]}}"#;
    let rows = [
        row("method", r#"{"r": "a", "methods": ["GET"]}"#, ASKED, true),
        row("another method", r#"{"r": "a", "methods": ["POST"]}"#, ASKED, false),
        row("prefix", DOGS, at("/dogs/1"), true),
        row("a prefix ends anywhere", DOGS, at("/dogsled"), true),
        row("another prefix", DOGS, at("/dog"), false),
        row("a prefix is compared with case", DOGS, at("/Dogs"), false),
        row("a path is normalised first", DOGS, at("/cats/..//%64ogs"), true),
        row("an escaped slash is none", r#"{"r": "a", "paths": ["/dogs/"]}"#, at("/dogs%2F1"), false),
        row("a path that is no UTF-8 reaches nothing", DOGS, at("/dogs/%ff"), false),
        row("the query is no path", DOGS, at("/?/dogs"), false),
        row("regex", NUMBER, at("/dogs/12"), true),
        row("a regex that ends is not a prefix", NUMBER, at("/dogs/12/x"), false),
        row("a regex begins at the start", NUMBER, at("/x/dogs/12"), false),
        row("host", PLAIN, host("dogs.example"), true),
        row("host with any port", PLAIN, host("dogs.example:1234"), true),
        row("another host", PLAIN, host("cats.example"), false),
        row("a host is compared with case", PLAIN, host("Dogs.example"), false),
        row("no host", PLAIN, Asked { host: None, ..ASKED }, false),
        row("subdomain", SUB, host("a.b.dogs.example"), true),
        row("no subdomain", SUB, host("dogs.example"), false),
        row("any ending", ANY, host("dogs.co.example:99"), true),
        row("host and port", PORT, host("dogs.example:8000"), true),
        row("host and another port", PORT, host("dogs.example:8001"), false),
        row("host and the listener's port", PORT, host("dogs.example"), true),
        row("header", HEADER, with(&[("x-shelter", "nORTH")]), true),
        row("header by regex", HEADER, with(&[("x-shelter", "S7")]), true),
        row("another value", HEADER, with(&[("x-shelter", "northern")]), false),
        row("no header", HEADER, ASKED, false),
        row("one of two values", HEADER, with(&[("x-shelter", "west"), ("x-shelter", "north")]), true),
        row("a header spelt with an underscore", HEADER, with(&[("x_shelter", "north")]), true),
        row(
            "the underscore goes first",
            HEADER,
            with(&[("x_shelter", "west"), ("x-shelter", "north")]),
            false,
        ),
        row("both headers", TWO, with(&[("a", "1"), ("b", "2")]), true),
        row("one of both headers", TWO, with(&[("a", "1")]), false),
    ];
    for Row { name, route, asked, expected } in rows {
        assert_eq!(ask(&router(route), &asked).is_some(), expected, "{name}");
    }
}

#[test]
fn of_several_routes_the_one_that_kong_prefers_is_taken() {
    const DOGS: Asked<'static> = Asked { target: "/dogs/1", host: Some("dogs.example"), ..ASKED };
    let rows = [
        (
            "longer prefix",
            r#"{"r": "a", "paths": ["/"]}, {"r": "b", "paths": ["/dogs"]}, {"r": "c", "paths": ["/d"]}"#,
            1,
        ),
        ("regex before prefix", r#"{"r": "a", "paths": ["/dogs/1"]}, {"r": "b", "paths": ["~/d"]}"#, 1),
        (
            "regex priority",
            r#"{"r": "a", "paths": ["~/dogs/1"], "regex_priority": 1}, {"r": "b", "paths": ["~/d"], "regex_priority": 2}"#,
            1,
        ),
        (
            "regex_priority of a prefix is nothing",
            r#"{"r": "a", "paths": ["/d"], "regex_priority": 9}, {"r": "b", "paths": ["/dogs"]}"#,
            1,
        ),
        (
            "more criteria",
            r#"{"r": "a", "paths": ["/dogs/1"]}, {"r": "b", "paths": ["/"], "methods": ["GET"]}"#,
            1,
        ),
        (
            "plain host before wildcard",
            r#"{"r": "a", "hosts": ["dogs.*"]}, {"r": "b", "hosts": ["dogs.example"]}"#,
            1,
        ),
        (
            "one wildcard makes all of them wildcards",
            r#"{"r": "a", "hosts": ["dogs.example", "cats.*"], "paths": ["/d"]}, {"r": "b", "hosts": ["dogs.*"], "paths": ["/dogs"]}"#,
            1,
        ),
        (
            "plain host before more criteria, as Kong computes it",
            r#"{"r": "a", "methods": ["GET"], "paths": ["/dogs"]}, {"r": "b", "hosts": ["dogs.example"]}"#,
            1,
        ),
        (
            "regex before more criteria, as Kong computes it",
            r#"{"r": "a", "methods": ["GET"], "paths": ["/dogs"]}, {"r": "b", "paths": ["~/d"]}"#,
            1,
        ),
        (
            "each length of prefix has its own place",
            r#"{"r": "a", "paths": ["/dog"]}, {"r": "b", "paths": ["/d", "/dogs"]}"#,
            1,
        ),
        (
            "of equals the greater id",
            r#"{"service": "dogs", "id": "00000000-0000-4000-8000-000000000001", "paths": ["/dogs"]},
               {"service": "dogs", "id": "00000000-0000-4000-8000-000000000002", "paths": ["/dogs"]}"#,
            1,
        ),
        (
            "whatever the document's order",
            r#"{"service": "dogs", "id": "00000000-0000-4000-8000-000000000002", "paths": ["/dogs"]},
               {"service": "dogs", "id": "00000000-0000-4000-8000-000000000001", "paths": ["/dogs"]}"#,
            0,
        ),
    ];
    for (name, routes, expected) in rows {
        let found = ask(&router(routes), &DOGS).map(|found| found.route);
        assert_eq!(found, Some(expected), "{name}");
    }
    let more_headers = r#"{"r": "a", "headers": {"x": ["1"]}, "paths": ["/dogs"]},
                          {"r": "b", "headers": {"x": ["1"], "y": ["1"]}, "paths": ["/"]}"#;
    let asked = Asked { headers: &[("x", "1"), ("y", "1")], ..DOGS };
    assert_eq!(ask(&router(more_headers), &asked).map(|found| found.route), Some(1), "more headers");
}

#[test]
fn a_match_says_what_goes_upstream() {
    let rows = [
        ("prefix", r#"{"r": "a", "paths": ["/dogs"]}"#, Some("/dogs"), "/base/a%20b?k=%20"),
        ("regex", r#"{"r": "a", "paths": ["~/do[a-z]s"]}"#, Some("/dogs"), "/base/a%20b?k=%20"),
        ("root", r#"{"r": "a", "paths": ["/"]}"#, None, "/base/dogs/a%20b?k=%20"),
        ("no paths", r#"{"r": "a", "methods": ["GET"]}"#, None, "/base/dogs/a%20b?k=%20"),
        (
            "strip_path off",
            r#"{"r": "a", "paths": ["/dogs"], "strip_path": false}"#,
            None,
            "/base/dogs/a%20b?k=%20",
        ),
    ];
    for (name, route, prefix, upstream_uri) in rows {
        let found = ask(&router(route), &Asked { target: "/dogs/./a%20b?k=%20", ..ASKED }).unwrap();
        assert_eq!((found.prefix.as_deref(), found.upstream_uri.as_str()), (prefix, upstream_uri), "{name}");
    }
}
