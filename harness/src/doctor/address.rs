//! The upstream's address and port.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};

use super::walk::PATIENCE;
use super::{Fault, Finding, Hop};

/// `true`: somebody listens.
pub(super) fn look(host: &str, port: u16, findings: &mut Vec<Finding>) -> bool {
    let no_address = |why: String| Finding::of(Hop::Address, Fault::NoAddress { host: host.to_owned(), why });
    let addresses: Vec<_> = match (host.trim_matches(['[', ']']), port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(why) => {
            findings.push(no_address(why.to_string()));
            return false;
        }
    };
    if addresses.is_empty() {
        findings.push(no_address("none is known".to_owned()));
        return false;
    }
    let told: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.push(Finding::fine(Hop::Address, format!("{host} is {}", told.join(", "))));

    let mut fault = Fault::NoAnswer;
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => {
                findings.push(Finding::fine(Hop::Port, format!("{address} takes connections")));
                return true;
            }
            Err(why) if why.kind() == ErrorKind::TimedOut => fault = Fault::NoAnswer,
            Err(why) => fault = Fault::ConnectionRefused { why: format!("{address}: {why}") },
        }
    }
    findings.push(Finding::of(Hop::Port, fault));
    false
}
