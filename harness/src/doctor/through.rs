//! What a client of the gateway gets.

use std::net::{TcpStream, ToSocketAddrs};

use time::OffsetDateTime;

use super::acceptance::exchange;
use super::walk::PATIENCE;
use super::{Fault, Finding, Hop};

/// A request to a gateway, in plain HTTP. No `Debug`: it may hold an API key.
pub struct Through {
    pub host: String,
    pub port: u16,
    /// Beginning with `/`.
    pub path: String,
    /// Header and API key.
    pub key: Option<(String, String)>,
}

/// Sends the request, and says what its answer tells.
#[must_use]
pub fn examine(through: &Through, now: OffsetDateTime) -> Vec<Finding> {
    let Through { host, port, path, key } = through;
    let broken = |fault| vec![Finding::of(Hop::Gateway, fault)];
    let address = match (host.trim_matches(['[', ']']), *port).to_socket_addrs().map(|mut found| found.next())
    {
        Ok(Some(address)) => address,
        Ok(None) => return broken(Fault::NoAddress { host: host.clone(), why: "none is known".into() }),
        Err(why) => return broken(Fault::NoAddress { host: host.clone(), why: why.to_string() }),
    };
    let refused = |why: std::io::Error| Fault::ConnectionRefused { why: format!("{address}: {why}") };
    let mut stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => stream,
        Err(why) => return broken(refused(why)),
    };
    let timeouts =
        stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    if let Err(why) = timeouts {
        return broken(refused(why));
    }
    let key = key.iter().map(|(name, key)| format!("{name}: {key}\r\n")).collect::<String>();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{key}Connection: close\r\n\r\n");
    match exchange(&mut stream, request.as_bytes()) {
        Ok(answer) => answer.findings(Hop::Gateway, now),
        Err(_) => broken(Fault::NoAnswer),
    }
}
