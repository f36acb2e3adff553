//! The whole handshake, and a request behind it: in TLS 1.3 an upstream says only then that it takes no certificate.

use std::io::{Read, Write};

use rustls::{AlertDescription, Error as TlsError};
use time::OffsetDateTime;

use super::client::Presented;
use super::handshake::{fault as unreached, probe};
use super::{Answer, Fault, Finding, Hop, Patient};
use pki::inspect::Unreached;

/// What a request over the connection got; or who said no, and why.
pub(super) fn look(
    patient: &Patient,
    presented: Option<&Presented>,
    is_asked: bool,
    now: OffsetDateTime,
    findings: &mut Vec<Finding>,
) {
    let presented = presented.filter(|_| is_asked);
    let probe = presented.iter().fold(probe(patient), |probe, presented| probe.client(presented.key.clone()));
    let fine = Finding::fine(
        HOP,
        if presented.is_some() { "our certificate is taken" } else { "nothing is presented" },
    );
    let mut answered = match probe.ask() {
        Ok(answered) => answered,
        Err(Unreached::Refused { reason: TlsError::AlertReceived(alert), .. }) => {
            return findings.push(Finding::of(HOP, refusal(alert, presented)));
        }
        Err(Unreached::Ended(why)) => {
            return findings.push(Finding::of(HOP, closed(presented, &why)));
        }
        Err(other) => return findings.push(Finding::of(HOP, unreached(other))),
    };
    match ask(&mut answered.stream, &patient.server_name, &patient.path) {
        Ok(answer) => {
            findings.push(fine);
            findings.extend(answer.findings(Hop::Answer, now));
        }
        Err(failed) => match failed.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::AlertReceived(alert)) => {
                findings.push(Finding::of(HOP, refusal(*alert, presented)));
            }
            _ if is_timeout(&failed) => {
                findings.push(fine);
                findings.push(Finding::of(Hop::Answer, Fault::NoAnswer));
            }
            _ if is_asked => findings.push(Finding::of(HOP, closed(presented, &failed.to_string()))),
            _ => {
                findings.push(fine);
                findings.push(Finding::of(Hop::Answer, Fault::NotHttp));
            }
        },
    }
}

/// Sends one request and reads what comes, up to a few thousand bytes.
///
/// # Errors
/// Nothing came but an end or an error.
pub(super) fn ask(stream: &mut (impl Read + Write), host: &str, path: &str) -> std::io::Result<Answer> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: harness-doctor\r\nConnection: close\r\n\r\n"
    );
    exchange(stream, request.as_bytes())
}

/// As [`ask`], with a request of one's own.
pub(super) fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> std::io::Result<Answer> {
    // An upstream that has said no already may have closed: its words are to be read all the same.
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let ended = loop {
        match stream.read(&mut part) {
            Ok(0) => break sent,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
            Err(failed) => break Err(failed),
        }
        if bytes.len() > MOST || Answer::is_whole(&bytes) {
            break Ok(());
        }
    };
    match ended {
        Err(failed) if bytes.is_empty() => Err(failed),
        Ok(()) if bytes.is_empty() => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(Answer::read(&bytes)),
    }
}

/// RFC 8446, section 6.2: what the upstream's last word means for us.
fn refusal(alert: AlertDescription, presented: Option<&Presented>) -> Fault {
    if presented.is_none() {
        return match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate => Fault::DemandsCertificate,
            other => Fault::HandshakeFailed { why: format!("{other:?}") },
        };
    }
    match alert {
        AlertDescription::UnknownCA => Fault::RefusesIssuer,
        AlertDescription::CertificateExpired => Fault::RefusesExpired,
        AlertDescription::CertificateRevoked => Fault::RefusesRevoked,
        other => Fault::RefusesOurs { why: format!("it says {other:?}") },
    }
}

/// Some say no without a word.
fn closed(presented: Option<&Presented>, why: &str) -> Fault {
    match presented {
        None => Fault::DemandsCertificate,
        Some(_) => Fault::RefusesOurs { why: format!("it closes the connection ({why})") },
    }
}

fn is_timeout(failed: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    [TimedOut, WouldBlock].contains(&failed.kind())
}

const HOP: Hop = Hop::Acceptance;
const MOST: usize = 16 * 1024;
