use super::*;

#[test]
fn filters_and_upstreams_see_what_kong_shows_them() {
    struct Row {
        name: &'static str,
        target: &'static str,
        for_filter: &'static [u8],
        for_upstream: &'static str,
    }
    let rows = [
        Row { name: "plain", target: "/a/b", for_filter: b"/a/b", for_upstream: "/a/b" },
        Row { name: "root", target: "/", for_filter: b"/", for_upstream: "/" },
        Row {
            name: "query stays raw",
            target: "/a?x=%2F&y=a%20b",
            for_filter: b"/a?x=%2F&y=a%20b",
            for_upstream: "/a?x=%2F&y=a%20b",
        },
        Row {
            name: "bare ? reaches the upstream only",
            target: "/a?",
            for_filter: b"/a",
            for_upstream: "/a?",
        },
        Row { name: "second ? is query", target: "/a?b?c", for_filter: b"/a?b?c", for_upstream: "/a?b?c" },
        Row { name: "fragment is cut", target: "/a#b?c", for_filter: b"/a", for_upstream: "/a" },
        Row {
            name: "fragment is cut off the query",
            target: "/a?b#c",
            for_filter: b"/a?b",
            for_upstream: "/a?b",
        },
        Row { name: "slashes are merged", target: "//a///b/", for_filter: b"/a/b/", for_upstream: "/a/b/" },
        Row { name: "dot segments", target: "/a/./b/../c/.", for_filter: b"/a/c/", for_upstream: "/a/c/" },
        Row { name: "escaped dots are dots", target: "/a/%2e%2E/b", for_filter: b"/b", for_upstream: "/b" },
        Row {
            name: "three dots are a name",
            target: "/.../a",
            for_filter: b"/.../a",
            for_upstream: "/.../a",
        },
        Row { name: "unreserved is decoded", target: "/%41%7e", for_filter: b"/A~", for_upstream: "/A~" },
        Row {
            name: "reserved keeps its escape",
            target: "/a%3fb%23%2b",
            for_filter: b"/a?b#+",
            for_upstream: "/a%3Fb%23%2B",
        },
        Row {
            name: "escaped slash divides for nginx only",
            target: "/a%2fb/../c",
            for_filter: b"/a/c",
            for_upstream: "/c",
        },
        Row {
            name: "escaped % is decoded once",
            target: "/%252e",
            for_filter: b"/%2e",
            for_upstream: "/%252e",
        },
        Row {
            name: "unsafe is escaped again",
            target: "/a%20\"b|%7C",
            for_filter: b"/a \"b||",
            for_upstream: "/a%20%22b%7C%7C",
        },
        Row { name: "not UTF-8", target: "/%ff", for_filter: b"/\xff", for_upstream: "/%FF" },
        Row { name: "UTF-8", target: "/\u{e9}", for_filter: b"/\xc3\xa9", for_upstream: "/%C3%A9" },
        Row {
            name: "semicolon stays",
            target: "/a;b/..;/c",
            for_filter: b"/a;b/..;/c",
            for_upstream: "/a;b/..;/c",
        },
    ];
    for Row { name, target, for_filter, for_upstream } in rows {
        let target = Target::parse(target).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(target.for_filter(), for_filter, "{name}");
        assert_eq!(target.for_upstream(Strip::Nothing, None), for_upstream, "{name}");
    }
}

#[test]
fn what_was_seen_on_kong_3_9_1_is_what_comes_out() {
    let target = Target::parse("/plain/a%20b/c%2Fd/../e?x=%2F").unwrap();
    assert_eq!(target.for_filter(), b"/plain/a b/c/e?x=%2F");
    assert_eq!(target.for_upstream(Strip::Prefix("/plain"), Some("/base")), "/base/a%20b/e?x=%2F");
}

#[test]
fn what_nginx_answers_with_400_is_refused() {
    let rows = [
        ("above the root", "/..", BadTarget::AboveRoot),
        ("above the root, escaped", "/a/..%2f../b", BadTarget::AboveRoot),
        ("half an escape", "/a%2", BadTarget::BadEscape),
        ("no escape", "/a%zz", BadTarget::BadEscape),
        ("a sign is no digit", "/a%+1", BadTarget::BadEscape),
        ("escaped NUL", "/a%00", BadTarget::EncodedNul),
        ("control character", "/a\tb", BadTarget::Control),
        ("control character in the query", "/a?\u{7f}", BadTarget::Control),
        ("asterisk", "*", BadTarget::NotAPath),
        ("absolute form", "http://a/", BadTarget::NotAPath),
        ("nothing", "", BadTarget::NotAPath),
    ];
    for (name, target, expected) in rows {
        assert_eq!(Target::parse(target), Err(expected), "{name}");
    }
    assert!(Target::parse("/a?%zz%00").is_ok(), "nginx does not decode the query");
}

#[test]
fn strip_path_and_service_path_join_as_in_kong() {
    struct Row {
        name: &'static str,
        target: &'static str,
        strip: Strip<'static>,
        base: Option<&'static str>,
        expected: &'static str,
    }
    let (keep, api, api_open) = (Strip::Nothing, Strip::Prefix("/api"), Strip::Prefix("/api/"));
    let rows = [
        Row { name: "no base", target: "/api/x", strip: api, base: None, expected: "/x" },
        Row { name: "nothing left", target: "/api", strip: api, base: None, expected: "/" },
        Row { name: "base, nothing left", target: "/api", strip: api, base: Some("/b"), expected: "/b" },
        Row { name: "base, a slash left", target: "/api/", strip: api, base: Some("/b"), expected: "/b/" },
        Row {
            name: "open prefix, nothing left",
            target: "/api/",
            strip: api_open,
            base: Some("/b"),
            expected: "/b/",
        },
        Row {
            name: "open base, nothing left",
            target: "/api",
            strip: api,
            base: Some("/b/"),
            expected: "/b",
        },
        Row {
            name: "open base and prefix",
            target: "/api/",
            strip: api_open,
            base: Some("/b/"),
            expected: "/b/",
        },
        Row { name: "open base", target: "/api/x", strip: api, base: Some("/b/"), expected: "/b/x" },
        Row { name: "open prefix", target: "/api/x", strip: api_open, base: Some("/b"), expected: "/b/x" },
        Row { name: "kept", target: "/api/x", strip: keep, base: Some("/b"), expected: "/b/api/x" },
        Row {
            name: "kept, open base",
            target: "/api/x",
            strip: keep,
            base: Some("/b/"),
            expected: "/b/api/x",
        },
        Row { name: "kept root", target: "/", strip: keep, base: Some("/b"), expected: "/b" },
        Row { name: "kept root, open base", target: "/", strip: keep, base: Some("/b/"), expected: "/b/" },
        Row { name: "no paths", target: "/x", strip: Strip::Prefix(""), base: Some("/b"), expected: "/b/x" },
        Row {
            name: "prefix ends within a segment",
            target: "/apis/x",
            strip: api,
            base: None,
            expected: "/s/x",
        },
        Row {
            name: "dots that are left do not climb",
            target: "/api../x",
            strip: api,
            base: Some("/b"),
            expected: "/b/x",
        },
        Row {
            name: "nor escaped ones",
            target: "/api%2e%2e/x",
            strip: api,
            base: Some("/b"),
            expected: "/b/x",
        },
        Row { name: "nor dots alone", target: "/api..", strip: api, base: Some("/b"), expected: "/b" },
        Row { name: "query", target: "/api?k=v", strip: api, base: Some("/b"), expected: "/b?k=v" },
    ];
    for Row { name, target, strip, base, expected } in rows {
        assert_eq!(Target::parse(target).unwrap().for_upstream(strip, base), expected, "{name}");
    }
}
