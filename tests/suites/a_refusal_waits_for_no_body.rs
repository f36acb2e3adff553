//! Who is refused is refused before a body has come: nobody makes a gateway or an upstream take in what nobody vouches for.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use tests::{Setting, tests};

tests![a_refusal_comes_before_the_body, a_body_that_never_ends_holds_up_nobody_else];

fn a_refusal_comes_before_the_body() {
    let setting = Setting::new("client_certificate: kong-client");
    let rows = [
        "Content-Length: 10000000",
        "Transfer-Encoding: chunked",
        "Content-Length: 4\r\nExpect: 100-continue",
    ];
    for framing in rows {
        for key in ["", "X-API-Key: nobody's\r\n"] {
            let mut client = connect(&setting, &format!("{key}{framing}"));
            assert_eq!(status(&mut client), "401", "{framing}");
        }
    }
    assert_eq!(setting.requests_upstream(), 0);
}

fn a_body_that_never_ends_holds_up_nobody_else() {
    let setting = Setting::new("client_certificate: kong-client");
    let mut client = connect(&setting, "Transfer-Encoding: chunked");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for turn in 0..200 {
        if client.get_mut().write_all(&chunk).is_err() {
            println!("the connection has ended after {turn} chunks");
            break;
        }
        if turn % 20 == 0 {
            let seen = setting.get("/dogs/anything").key("model-citizen").send();
            assert_eq!((seen.status, seen.common_name()), (200, Some("kong-client")), "after {turn} chunks");
        }
    }
    let heard = setting.upstream().latest();
    assert!(heard.iter().all(|seen| seen.method == "GET"), "{heard:?}");
}

/// A client of whose body nothing has come yet.
fn connect(setting: &Setting, headers: &str) -> BufReader<TcpStream> {
    let mut client = TcpStream::connect(setting.proxy()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("POST /dogs/anything HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    BufReader::new(client)
}

/// That of the first answer which is final.
fn status(client: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        match line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) {
            Some("100") | None => assert!(!line.is_empty(), "the connection has ended without an answer"),
            Some(status) => return status.to_owned(),
        }
    }
}
