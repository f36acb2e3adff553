//! One request of a client is at most one upstream, wherever two servers might cut a connection in two places.
//!
//! What is answered to each of these, host by host, is in `tests/conformance/attacks-framing.yaml`. Here connections are
//! kept alive at both ends, and others ask over them meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tests::{Setting, raw, tests};

tests![
    no_second_request_rides_behind_the_first,
    requests_in_a_row_are_decided_one_by_one,
    what_a_refused_request_carries_is_no_request,
    trailers_reach_no_upstream,
];

const POLICY: &str = "client_certificate: kong-client
rules:
- match: {consumers: [vet]}
  client_certificate: kong-vet";

/// As an upstream would read it, and a gateway before it.
const SECOND: &str =
    "GET /anything/smuggled HTTP/1.1\r\nHost: localhost\r\nX-Consumer-Username: warden\r\n\r\n";

fn no_second_request_rides_behind_the_first() {
    let setting = Setting::new(POLICY);
    let ended = format!("0\r\n\r\n{SECOND}");
    let whole = format!("Content-Length: {}", ended.len());
    let chunk = format!("{:x}\r\n{SECOND}\r\n0\r\n\r\n", SECOND.len());
    let length = format!("Content-Length: {}", SECOND.len());
    let encoded = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
        "Transfer-Encoding\0: chunked",
        "Transfer_Encoding: chunked",
        "X: x\nTransfer-Encoding: chunked",
        "X: x\rTransfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    ];
    // Headers, and what follows them.
    let mut rows: Vec<(String, &str)> = Vec::new();
    for spelling in encoded {
        rows.push((format!("{spelling}\r\n{whole}"), &ended));
        rows.push((format!("{whole}\r\n{spelling}"), &ended));
        rows.push((format!("{spelling}\r\nContent-Length: 4"), &chunk));
        rows.push((spelling.to_owned(), &ended));
    }
    let lengths = [
        format!("Content-Length: 0\r\n{length}"),
        format!("{length}\r\nContent-Length: 0"),
        format!("Content-Length: 0, {}", SECOND.len()),
        format!("Content-Length: +{}", SECOND.len()),
        format!("Content_Length: 0\r\n{length}"),
        format!("Content-Length: 0\r\nContent_Length: {}", SECOND.len()),
        format!("X: x\nContent-Length: 0\r\n{length}"),
        format!("Connection: Content-Length\r\n{length}"),
        format!("Connection: keep-alive, Content-Length, Transfer-Encoding\r\n{length}"),
        format!("Expect: 100-continue\r\n{length}"),
        length.clone(),
        "Content-Length: 0".to_owned(),
        String::from("X-Nothing: 0"),
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x"
            .to_owned(),
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__".to_owned(),
    ];
    rows.extend(lengths.into_iter().map(|headers| (headers, SECOND)));

    // A body that is cut where nobody can say where it ends.
    let broken = [
        format!("10000000000000004\r\nwoof\r\n{ended}"),
        format!("0x4\r\nwoof\r\n{ended}"),
        format!("4\r\nwoof!\r\n{ended}"),
        format!("4;a\nb\r\nwoof\r\n{ended}"),
        format!("4\nwoof\n0\n\n{SECOND}"),
        format!("-1\r\nwoof\r\n{ended}"),
        format!("4\r\nwoof\r\n0\r\n: x\r\n\r\n{SECOND}"),
        format!("4\rwoof\r{ended}"),
    ];
    rows.extend(broken.iter().map(|body| ("Transfer-Encoding: chunked".to_owned(), &**body)));

    for (number, (headers, behind)) in rows.iter().enumerate() {
        let method = ["POST", "GET"][number % 2];
        let key = setting.key("model-citizen");
        let first = format!(
            "{method} /dogs/anything/first HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n{headers}\r\n\r\n{behind}"
        );
        let mut attacker = TcpStream::connect(setting.proxy()).unwrap();
        attacker.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        attacker.write_all(first.as_bytes()).unwrap();
        // Something comes back or the connection ends: by then it has been decided on.
        let _ = attacker.read(&mut [0; 1]).unwrap_or_else(|error| panic!("{headers:?}: {error}"));
        for (who, certificate) in [("model-citizen", "kong-client"), ("vet", "kong-vet")] {
            let seen = setting.get(&format!("/dogs/anything/{number}")).key(who).send();
            assert_eq!((seen.status, seen.common_name()), (200, Some(certificate)), "{headers:?}");
            assert!(seen.text.contains(&format!("/anything/{number}\"")), "{headers:?}: {}", seen.text);
        }
    }
    for seen in setting.upstream().latest() {
        let told = format!("{seen:?}");
        assert!(!told.contains("smuggled") && !told.contains("warden"), "{told}");
        assert!(seen.headers.iter().any(|(name, _)| name == "x-consumer-username"), "{told}");
    }
    println!("{} shapes", rows.len());
}

fn requests_in_a_row_are_decided_one_by_one() {
    let setting = Setting::new(POLICY);
    let asking = |who: Option<&str>, more: &str| {
        let key = who
            .map(|who| format!("X-API-Key: {}\r\n", who.split('=').next_back().unwrap()))
            .unwrap_or_default();
        format!("GET /dogs/anything HTTP/1.1\r\nHost: localhost\r\n{key}{more}\r\n")
    };
    let (citizen, vet) = (setting.key("model-citizen"), setting.key("vet"));
    let all = [
        asking(Some(&citizen), ""),
        asking(None, ""),
        asking(Some(&vet), ""),
        asking(Some("nobody's"), ""),
        asking(Some(&citizen), "Connection: close\r\n"),
    ];
    let mut client = TcpStream::connect(setting.proxy()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(all.concat().as_bytes()).unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).unwrap();
    let answers = String::from_utf8_lossy(&answers);
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    // Who refuses may end the connection with it; what comes behind then is nobody's.
    let owed = ["200", "401", "200", "401", "200"];
    assert!(statuses.len() >= 2 && owed.starts_with(&statuses), "{answers}");
    let heard = setting.upstream().latest();
    let as_whom = heard.iter().filter_map(|seen| seen.connection.client.as_ref()?.common_name.as_deref());
    let passed = statuses.iter().filter(|status| **status == "200").count();
    assert_eq!(as_whom.collect::<Vec<_>>(), ["kong-client", "kong-vet", "kong-client"][..passed]);
}

fn what_a_refused_request_carries_is_no_request() {
    let setting = Setting::new(POLICY);
    let key = setting.key("model-citizen");
    let body = format!("GET /dogs/anything/smuggled HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n");
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let framings = [
        (format!("Content-Length: {}", body.len()), &body),
        ("Transfer-Encoding: chunked".to_owned(), &chunked),
    ];
    for (framing, body) in &framings {
        let mut client = TcpStream::connect(setting.proxy()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let refused = format!("POST /dogs/anything HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        client.write_all(refused.as_bytes()).unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
        // The connection may have ended by now; if it has not, the body is still the body of what was refused.
        let after = "GET /dogs/anything/after HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let _ = client.write_all(body.as_bytes()).and_then(|()| client.write_all(after.as_bytes()));
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(!rest.contains("HTTP/1.1 200"), "{framing}: {rest}");
    }
    assert_eq!(setting.requests_upstream(), 0);
}

fn trailers_reach_no_upstream() {
    let setting = Setting::new(POLICY);
    let key = setting.key("model-citizen");
    for announced in ["", "Trailer: X-Consumer-Username, X-API-Key\r\n", "TE: trailers\r\n"] {
        let request = format!(
            "POST /dogs/api/digest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-API-Key: {key}\r\n{announced}\
             Transfer-Encoding: chunked\r\n\r\n4\r\nwoof\r\n0\r\nX-Consumer-Username: warden\r\nX-API-Key: {key}\r\n\r\n"
        );
        let answer = raw::send(setting.proxy(), request.as_bytes());
        let arrived: serde_json::Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
        assert_eq!(
            (&arrived["length"], &arrived["trailers"]),
            (&4.into(), &serde_json::json!([])),
            "{announced}"
        );
    }
}
