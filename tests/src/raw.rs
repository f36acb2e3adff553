//! Requests byte for byte, for what an HTTP client would mend on the way: odd paths, duplicates, bad bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer, taken apart as far as a suite looks at it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// As whom the upstream was called, if it answered.
    pub fn seen_client(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("x-seen-client: "))
    }

    /// The message of a refusal.
    pub fn message(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["message"].as_str().unwrap_or_default().to_owned()
    }
}

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
    let mut connection = TcpStream::connect(to).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection.write_all(request).unwrap();
    let mut bytes = Vec::new();
    // A reset after the answer is the answer's end too.
    let _ = connection.read_to_end(&mut bytes);

    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}
