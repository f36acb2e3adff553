//! Requests byte for byte, for what an HTTP client would mend on the way: odd paths, duplicates, bad bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;

use super::{Answer, Heard, Outcome, Request};
use crate::dogcatcher::Seen;
use crate::stack::{Keys, Stack};

impl Request {
    /// What goes over the wire, with `prefix` before the target; the connection ends with the answer.
    ///
    /// # Errors
    /// The system gives no random bytes for a key.
    pub fn bytes(&self, prefix: &str, keys: &Keys) -> anyhow::Result<Vec<u8>> {
        let fill = |text: &super::Text| text.fill(keys, "");
        let mut bytes = fill(&self.method)?;
        bytes.push(b' ');
        let target = fill(&self.target)?;
        let (origin, path) = target.split_at(path_begins(&target));
        for part in [origin, prefix.as_bytes(), path] {
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\nConnection: close\r\n");
        if !self.has("host") {
            bytes.extend_from_slice(format!("Host: {HOST}\r\n").as_bytes());
        }
        for (name, value) in &self.headers {
            for part in [&fill(name)?, &b": "[..], &fill(value)?, b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        let body = self.body.as_ref().map(fill).transpose()?;
        if let Some(body) = &body
            && !self.has("content-length")
            && !self.has("transfer-encoding")
        {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(body.into_iter().flatten());
        Ok(bytes)
    }

    /// Whether its target has a path, before which a route's prefix can stand.
    pub fn has_path(&self) -> bool {
        let target = self.target.to_string();
        target.starts_with('/') || path_begins(target.as_bytes()) > 0
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(each, _)| each.to_string().eq_ignore_ascii_case(name))
    }
}

/// Where the path of a target begins: behind the authority where it has one (RFC 9112, section 3.2.2).
fn path_begins(target: &[u8]) -> usize {
    let Some(scheme) = target.windows(3).position(|window| window == b"://") else { return 0 };
    if !target[..scheme].iter().all(u8::is_ascii_alphabetic) {
        return 0;
    }
    let authority = &target[scheme + 3..];
    scheme + 3 + authority.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(authority.len())
}

/// Sends a request to a stack's gateway and listens at both ends; `request_id` is the header that has its id. One at
/// a time: what the upstream hears meanwhile is this one.
///
/// # Errors
/// The gateway does not listen.
pub fn ask(stack: &Stack, request: &[u8], request_id: &str) -> anyhow::Result<Outcome> {
    let before = stack.dogcatcher().counts().requests;
    let answer = send(stack.gateway().proxy(), request, request_id).context("the gateway does not listen")?;
    let more = usize::try_from(stack.dogcatcher().counts().requests - before)?;
    let mut latest = stack.dogcatcher().latest();
    let mut heard = latest.drain(latest.len().saturating_sub(more)..).map(told);
    Ok(Outcome { answer: Some(answer), upstream: heard.next(), smuggled: heard.collect() })
}

fn told(seen: Seen) -> Heard {
    Heard {
        certificate: seen.connection.client.and_then(|client| client.common_name),
        method: seen.method,
        uri: seen.uri,
        headers: seen.headers,
    }
}

/// Sends bytes and reads until the answer is whole or the other side closes: nginx waits a while before it does, where it
/// has not read all that was sent. `request_id` is the header that has the request's id.
///
/// # Errors
/// Nobody listens there.
pub fn send(to: SocketAddr, request: &[u8], request_id: &str) -> std::io::Result<Answer> {
    let mut connection = TcpStream::connect(to)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.write_all(request)?;
    let mut bytes = Vec::new();
    let mut part = [0; 65_536];
    // A reset after the answer is the answer's end too.
    while let Ok(length @ 1..) = connection.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
        if is_whole(&bytes) {
            break;
        }
    }
    let answer = answer(&bytes);
    Ok(Answer { request_id: answer.header(request_id).unwrap_or_default().to_owned(), ..answer })
}

/// Whether an answer says that it ends here.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body = &bytes[end + 4..];
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 4..]),
        None => (bytes, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let answer = Answer { status, headers, ..Answer::default() };
    let chunked =
        answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer }
}

/// RFC 9112, section 7.1, as far as it came.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let Some(chunk) = size.filter(|size| *size > 0).and_then(|size| rest.get(end + 2..end + 2 + size))
        else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    body
}

/// What a request asks for whose headers do not say.
pub(super) const HOST: &str = "gateway.example";

/// Longer than any gateway of a suite waits for its upstream.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_it_says_so() {
        let rows: [(&[u8], bool); 6] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", false),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n12", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n", false),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n", true),
            (b"HTTP/1.1 200 OK\r\n\r\nuntil it ends", false),
        ];
        for (bytes, owed) in rows {
            assert_eq!(is_whole(bytes), owed, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_answer_is_read_however_it_is_framed() {
        let rows: [(&[u8], u16, &str); 4] = [
            (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nwhole", 200, "whole"),
            (b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\na;x\r\n, two, thr\r\n0\r\n\r\n", 401, "one, two, thr"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
            (b"", 0, ""),
        ];
        for (bytes, status, body) in rows {
            let came = answer(bytes);
            assert_eq!((came.status, came.body.as_str()), (status, body));
        }
        assert_eq!(answer(rows[0].0).header("a"), Some("b"));
    }
}
