//! Requests byte for byte, for what an HTTP client would mend on the way: odd paths, duplicates, bad bytes.

use std::net::SocketAddr;

use harness::cases::{Answer, http};

/// Sends `GET` with a target as written, on a connection of its own.
pub fn get(to: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    send(to, request.as_bytes())
}

/// Sends bytes and reads until the other side closes.
pub fn send(to: SocketAddr, request: &[u8]) -> Answer {
    http::send(to, request, crate::request_id_header()).unwrap()
}

/// SHA-256 of the client certificate that the upstream saw, by its answer; `None` where it saw none or did not answer.
pub fn fingerprint(answer: &Answer) -> Option<String> {
    let seen: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    seen["client"]["fingerprint"].as_str().map(str::to_owned)
}
