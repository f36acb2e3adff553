//! HTTP: what passes and what does not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn a_request_reaches_the_upstream_as_kong_would_send_it() {
    let bench = Bench::new().await;
    let headers = [
        ("x-cert", "a"),
        ("x-consumer-username", "spoofed"),
        ("connection", "x-consumer-username, x-mine"),
        ("x-mine", "1"),
        ("x-forwarded-proto", "https"),
        ("x-kong-request-id", "spoofed"),
        ("x-theirs", "2"),
    ];
    let answer = bench.get("/dogs/1/tail?wags=%20a+b", &headers).await;
    assert_eq!(answer.seen().fingerprint.len(), 64);
    assert_eq!(answer.line("GET "), Some("/base/1/tail?wags=%20a+b"));
    let host = format!("localhost:{}", bench.mock.port);
    let port = bench.gateway.proxy().port().to_string();
    let id = answer.headers["x-kong-request-id"].to_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let expected = [
        ("host: ", Some(host.as_str())),
        ("x-consumer-username: ", Some("model-citizen")),
        ("x-mine: ", None),
        ("x-theirs: ", Some("2")),
        ("connection: ", None),
        ("x-forwarded-for: ", Some("127.0.0.1")),
        ("x-forwarded-proto: ", Some("http")),
        ("x-forwarded-host: ", Some("127.0.0.1")),
        ("x-forwarded-port: ", Some(&port)),
        ("x-forwarded-path: ", Some("/dogs/1/tail")),
        ("x-forwarded-prefix: ", Some("/dogs")),
        ("x-real-ip: ", Some("127.0.0.1")),
        ("x-kong-request-id: ", Some(id)),
        ("via: ", Some("1.1 kong/3.9.1")),
    ];
    for (name, value) in expected {
        let lines: Vec<_> = answer.body.lines().filter_map(|line| line.strip_prefix(name)).collect();
        assert_eq!(lines, Vec::from_iter(value), "{name}\n{}", answer.body);
    }
    assert_eq!(answer.headers["via"], "1.1 kong/3.9.1");
    assert!(answer.headers.contains_key("x-kong-upstream-latency"));
    bench.until_logged(&format!("info request {id}: select: decided")).await;
}

#[tokio::test]
async fn what_the_gateway_answers_itself_looks_like_kongs() {
    let bench = Bench::new().await;
    let none = bench.get("/cats", &[]).await;
    let id = none.headers["x-kong-request-id"].to_str().unwrap();
    let body =
        format!("{{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"{id}\"\n}}");
    assert_eq!((none.status, none.body), (404, body));
    assert_eq!(none.headers["server"], "kong/3.9.1");

    let denied = bench.get("/dogs", &[("x-deny", "1")]).await;
    assert_eq!(denied.status, 403);
    assert!(denied.headers.contains_key("x-kong-request-id"));

    let trapped = bench.get("/dogs", &[("x-cert", "nobody")]).await;
    assert_eq!(trapped.status, 500);
    assert!(trapped.body.contains("\"message\":\"An unexpected error occurred\""), "{}", trapped.body);
    bench.until_logged("could not set \"kong.service.client_certificate\"").await;
}

#[tokio::test]
async fn the_uri_is_sent_as_a_filter_left_it() {
    let bench = Bench::new().await;
    let answer = bench.get("/dogs/x?apikey=secret", &[("x-uri", "/base//x%2F?y=%20")]).await;
    assert_eq!(answer.line("GET "), Some("/base//x%2F?y=%20"));
    assert_eq!(bench.get("/dogs", &[("x-uri", "no path")]).await.status, 500);
}

#[tokio::test]
async fn bodies_pass_both_ways_as_they_come() {
    let bench = Bench::new().await;
    let (send, body) = fed();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(bench.uri("/dogs")).header("x-cert", "a").body(body).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let (mut body, mut received) = (response.into_body(), String::new());
    for chunk in ["one", "two", "three"] {
        // Each is back before the next is sent.
        send.send(chunk.into()).await.unwrap();
        while !received.ends_with(chunk) {
            let frame = body.frame().await.unwrap().unwrap();
            received.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
    assert!(received.ends_with("\n\nonetwothree"), "{received}");
}

/// Sends bytes as they are, and reads until the gateway closes.
async fn raw(bench: &Bench, request: &str) -> String {
    let mut tcp = TcpStream::connect(bench.gateway.proxy()).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tcp.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("answered").unwrap();
    answer
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let bench = Bench::new().await;
    let host = "Host: gateway\r\nConnection: close\r\n";
    let cases = [
        (
            "two lengths",
            format!("POST /dogs HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ),
        ("no host", "GET /dogs HTTP/1.1\r\nConnection: close\r\n\r\n".into()),
        ("two hosts", format!("GET /dogs HTTP/1.1\r\n{host}Host: other\r\n\r\n")),
        ("a space in a name", format!("GET /dogs HTTP/1.1\r\n{host}X-Api Key: 1\r\n\r\n")),
        (
            "an unknown coding",
            format!("POST /dogs HTTP/1.1\r\n{host}Transfer-Encoding: chunked, gzip\r\n\r\n"),
        ),
        ("a control character in the path", format!("GET /dogs/\u{1} HTTP/1.1\r\n{host}\r\n")),
    ];
    for (what, request) in cases {
        let answer = raw(&bench, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
    }
    for method in ["CONNECT gateway:443", "TRACE /dogs"] {
        let answer = raw(&bench, &format!("{method} HTTP/1.1\r\n{host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
    }
}

#[tokio::test]
async fn where_both_lengths_are_given_one_counts_and_the_connection_ends() {
    // RFC 9112, 6.1; hyper sees to it, so the other is gone before this gateway or an upstream could read it.
    let bench = Bench::new().await;
    let both = "POST /dogs HTTP/1.1\r\nHost: gateway\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /dogs/smuggled HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let answer = raw(&bench, both).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("content-length: 60"), "{answer}");
    assert!(!answer.contains("smuggled"), "{answer}");
}

#[tokio::test]
async fn an_upgrade_opens_no_tunnel() {
    let bench = Bench::new().await;
    let upgrade =
        "GET /dogs HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n";
    let answer = raw(&bench, upgrade).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("upgrade: websocket"), "{answer}");
}

#[tokio::test]
async fn an_old_client_is_served() {
    let bench = Bench::new().await;
    let answer = raw(&bench, "GET /dogs HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
}
