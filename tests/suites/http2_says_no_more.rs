//! HTTP/2, where a gateway speaks it, is no way around what HTTP/1.1 may not say.

use harness::gateway::Ability;
use tests::http2::{Connection, End};
use tests::{Setting, needs, tests};

tests![
    what_http1_could_not_say_reaches_no_upstream_by_http2,
    streams_of_one_connection_are_decided_one_by_one
];

type Field<'a> = (&'a [u8], &'a [u8]);

/// What is odd, fields, and a body.
type Row<'a> = (&'static str, Vec<Field<'a>>, Option<&'a [u8]>);

fn what_http1_could_not_say_reaches_no_upstream_by_http2() {
    needs(Ability::StreamsProtocols);
    let setting = Setting::new("client_certificate: kong-client");
    let key = setting.key("model-citizen");
    let ann: Field<'_> = (b"x-api-key", key.as_bytes());
    let [method, scheme, authority, path] = USUAL;
    let smuggled = b"GET /anything/smuggled HTTP/1.1\r\nHost: x\r\nX-Consumer-Username: warden\r\n\r\n";
    let length = smuggled.len().to_string();
    let rows: Vec<Row<'_>> = vec![
        ("all is well", vec![method, scheme, authority, path, ann], None),
        (
            "two paths",
            vec![method, scheme, authority, path, (b":path", b"/dogs/anything/smuggled"), ann],
            None,
        ),
        ("two methods", vec![method, (b":method", b"DELETE"), scheme, authority, path, ann], None),
        ("two hosts", vec![method, scheme, authority, (b":authority", b"warden"), path, ann], None),
        ("another host", vec![method, scheme, authority, path, ann, (b"host", b"warden")], None),
        ("no path", vec![method, scheme, authority, ann], None),
        ("an empty path", vec![method, scheme, authority, (b":path", b""), ann], None),
        ("a path that is none", vec![method, scheme, authority, (b":path", b"smuggled"), ann], None),
        (
            "a whole target",
            vec![method, scheme, authority, (b":path", b"http://warden/dogs/anything"), ann],
            None,
        ),
        (
            "a path with a line",
            vec![
                method,
                scheme,
                authority,
                (b":path", b"/dogs/anything HTTP/1.1\r\nx-consumer-username: warden\r\nx: "),
                ann,
            ],
            None,
        ),
        (
            "a path with a space",
            vec![method, scheme, authority, (b":path", b"/dogs/anything/smuggled HTTP/1.1"), ann],
            None,
        ),
        (
            "a method with a line",
            vec![
                (b":method", b"GET /anything/smuggled HTTP/1.1\r\nx: y\r\n\r\nGET"),
                scheme,
                authority,
                path,
                ann,
            ],
            None,
        ),
        (
            "a host with a line",
            vec![method, scheme, (b":authority", b"localhost\r\nx-consumer-username: warden"), path, ann],
            None,
        ),
        ("a host with a user", vec![method, scheme, (b":authority", b"warden@localhost"), path, ann], None),
        ("a pseudo header behind the others", vec![method, scheme, authority, ann, path], None),
        (
            "a pseudo header that is none",
            vec![method, scheme, authority, path, (b":consumer", b"warden"), ann],
            None,
        ),
        (
            "a protocol",
            vec![(b":method", b"CONNECT"), (b":protocol", b"websocket"), scheme, authority, path, ann],
            None,
        ),
        (
            "a name with capitals",
            vec![method, scheme, authority, path, ann, (b"X-Consumer-Username", b"warden")],
            None,
        ),
        (
            "a name with a colon",
            vec![method, scheme, authority, path, ann, (b"x-consumer-username:", b"warden")],
            None,
        ),
        (
            "a name with a line",
            vec![method, scheme, authority, path, ann, (b"x: y\r\nx-consumer-username", b"warden")],
            None,
        ),
        (
            "a name with a space",
            vec![method, scheme, authority, path, ann, (b"x-consumer-username ", b"warden")],
            None,
        ),
        (
            "a name with a NUL",
            vec![method, scheme, authority, path, ann, (b"x-consumer-username\0", b"warden")],
            None,
        ),
        ("no name", vec![method, scheme, authority, path, ann, (b"", b"warden")], None),
        (
            "a value with a line",
            vec![method, scheme, authority, path, ann, (b"x", b"y\r\nx-consumer-username: warden")],
            None,
        ),
        (
            "a value with a line feed",
            vec![method, scheme, authority, path, ann, (b"x", b"y\nx-consumer-username: warden")],
            None,
        ),
        (
            "a value with a NUL",
            vec![method, scheme, authority, path, ann, (b"x-consumer-custom-id", b"warden\0")],
            None,
        ),
        (
            "an identity",
            vec![
                method,
                scheme,
                authority,
                path,
                ann,
                (b"x-consumer-username", b"warden"),
                (b"x_consumer_username", b"warden"),
            ],
            None,
        ),
        (
            "a connection",
            vec![method, scheme, authority, path, ann, (b"connection", b"x-consumer-username")],
            None,
        ),
        (
            "a connection that is kept",
            vec![
                method,
                scheme,
                authority,
                path,
                ann,
                (b"proxy-connection", b"keep-alive"),
                (b"keep-alive", b"x"),
            ],
            None,
        ),
        (
            "an upgrade",
            vec![
                method,
                scheme,
                authority,
                path,
                ann,
                (b"connection", b"upgrade"),
                (b"upgrade", b"websocket"),
            ],
            None,
        ),
        (
            "a length of nothing (H2.CL)",
            vec![POST, scheme, authority, path, ann, (b"content-length", b"0")],
            Some(smuggled),
        ),
        (
            "a length that is too long",
            vec![POST, scheme, authority, path, ann, (b"content-length", b"1000")],
            Some(smuggled),
        ),
        (
            "two lengths",
            vec![
                POST,
                scheme,
                authority,
                path,
                ann,
                (b"content-length", b"0"),
                (b"content-length", length.as_bytes()),
            ],
            Some(smuggled),
        ),
        (
            "chunks (H2.TE)",
            vec![POST, scheme, authority, path, ann, (b"transfer-encoding", b"chunked")],
            Some(b"0\r\n\r\nGET /anything/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "chunks in capitals",
            vec![POST, scheme, authority, path, ann, (b"Transfer-Encoding", b"chunked")],
            Some(b"0\r\n\r\nGET /anything/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "chunks in a value",
            vec![POST, scheme, authority, path, ann, (b"x", b"y\r\ntransfer-encoding: chunked")],
            Some(b"0\r\n\r\nGET /anything/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        ("a second request for a body", vec![POST, scheme, authority, path, ann], Some(smuggled)),
    ];
    for (what, fields, body) in &rows {
        let before = setting.requests_upstream();
        let mut client = Connection::open(setting.proxy());
        client.headers(1, fields, body.is_none());
        if let Some(body) = body {
            client.data(1, body);
        }
        let end = client.end(1);
        let heard = usize::try_from(setting.requests_upstream() - before).unwrap();
        println!("{what}: {end:?}, {heard} upstream");
        assert!(heard <= 1, "{what}: the upstream heard {heard}");
        // The next one on the gateway's connection is answered for itself.
        let seen = setting.get("/dogs/anything/next").key("model-citizen").send();
        assert_eq!((seen.status, seen.common_name()), (200, Some("kong-client")), "{what}");
        assert!(seen.text.contains("\"/anything/next\""), "{what}: {}", seen.text);
        for seen in setting.upstream().latest().iter().rev().take(heard + 1) {
            let own = |header: &&(String, String)| header.0.replace('_', "-") == "x-consumer-username";
            let who: Vec<_> = seen.headers.iter().filter(own).map(|(_, who)| who.as_str()).collect();
            assert_eq!(who, ["model-citizen"], "{what}: {seen:?}");
            // What the client called the gateway may be told, and nothing else of that kind.
            let told =
                |header: &&(String, String)| header.0 != "x-forwarded-host" && header.1.contains("warden");
            assert!(!seen.headers.iter().any(|header| told(&header)), "{what}: {seen:?}");
            assert_ne!(seen.method, "DELETE", "{what}: {seen:?}");
        }
    }
    let smuggled =
        setting.upstream().latest().into_iter().filter(|seen| seen.uri == "/anything/smuggled").count();
    assert_eq!(smuggled, 0);
}

fn streams_of_one_connection_are_decided_one_by_one() {
    needs(Ability::StreamsProtocols);
    let setting = Setting::new(
        "client_certificate: kong-client\nrules: [{match: {consumers: [vet]}, client_certificate: kong-vet}]",
    );
    let [method, scheme, authority, path] = USUAL;
    let [citizen, vet] = ["model-citizen", "vet"].map(|who| setting.key(who));
    let keys = [Some(citizen), None, Some(vet), Some("nobody's".to_owned())];
    let mut client = Connection::open(setting.proxy());
    for turn in 0..40_u32 {
        let stream = turn * 2 + 1;
        let key = &keys[turn as usize % keys.len()];
        let mut fields = vec![method, scheme, authority, path];
        fields.extend(key.as_ref().map(|key| (&b"x-api-key"[..], key.as_bytes())));
        let before = setting.requests_upstream();
        client.headers(stream, &fields, true);
        assert_eq!(client.end(stream), End::Answered, "stream {stream}");
        let owed = match turn % 4 {
            0 => Some("kong-client"),
            2 => Some("kong-vet"),
            _ => None,
        };
        let heard =
            (setting.requests_upstream() > before).then(|| setting.upstream().latest().pop()).flatten();
        let as_whom = heard.and_then(|seen| seen.connection.client?.common_name);
        assert_eq!(as_whom.as_deref(), owed, "stream {stream}");
    }
}

const USUAL: [Field<'static>; 4] = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"localhost"),
    (b":path", b"/dogs/anything/first"),
];

const POST: Field<'static> = (b":method", b"POST");
