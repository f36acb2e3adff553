//! A handshake without a client certificate: does it speak TLS with us, what does it show, and what does it ask for?

use rustls::{AlertDescription, Error as TlsError};

use super::walk::PATIENCE;
use super::{Fault, Finding, Hop, Patient};
use pki::inspect::{Asked, Certificate, Probe, Unreached};

/// What went by in a handshake.
pub(super) struct Seen {
    pub(super) shown: Vec<Certificate>,
    pub(super) asked: Option<Asked>,
}

pub(super) fn probe(patient: &Patient) -> Probe {
    Probe::new(&patient.host, patient.port).server_name(&patient.server_name).timeout(PATIENCE)
}

pub(super) fn look(patient: &Patient) -> (Option<Seen>, Finding) {
    match probe(patient).ask() {
        Ok(answered) => {
            let version = answered.protocol.and_then(|version| version.as_str().map(str::to_owned));
            let seen = Seen { shown: answered.material.certificates, asked: answered.asked };
            (Some(seen), Finding::fine(HOP, version.unwrap_or_default()))
        }
        // It has shown what it has, and says no to somebody without a certificate: another hop's matter.
        Err(Unreached::Refused { asked: asked @ Some(_), shown, .. }) if !shown.is_empty() => {
            (Some(Seen { shown, asked }), Finding::fine(HOP, "it speaks TLS"))
        }
        Err(unreached) => (None, Finding::of(HOP, fault(unreached))),
    }
}

/// Why there was no handshake.
pub(super) fn fault(unreached: Unreached) -> Fault {
    match unreached {
        Unreached::NotTls => Fault::NotTls,
        Unreached::Timeout => Fault::NoAnswer,
        Unreached::Address(why) => Fault::NoAddress { host: "it".into(), why },
        Unreached::Connect(why) => Fault::ConnectionRefused { why },
        Unreached::Refused { reason, .. } | Unreached::Tls(reason) => match reason {
            TlsError::AlertReceived(
                AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
            )
            | TlsError::PeerIncompatible(_) => Fault::TlsVersion,
            other => Fault::HandshakeFailed { why: other.to_string() },
        },
        other => Fault::HandshakeFailed { why: other.to_string() },
    }
}

const HOP: Hop = Hop::Tls;
