use serde::{Serialize, Serializer};

use super::Fault;

/// A part of the way, in the order in which a request takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// What the gateway is told.
    Config,
    /// What policies select.
    Policy,
    /// What the gateway presents: files, key, chain, usage, dates.
    ClientCertificate,
    /// Whom the gateway believes, and what these have revoked.
    TrustAnchors,
    /// The upstream's name and its addresses.
    Address,
    Port,
    /// TLS at all, and in a version that gateways speak.
    Tls,
    /// What the upstream shows.
    ServerCertificate,
    /// Whether the upstream asks for a client certificate, and of whom.
    CertificateRequest,
    /// Whether the upstream takes the client certificate.
    Acceptance,
    Answer,
    /// What a client of the gateway gets.
    Gateway,
}

/// What a look at one hop has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub hop: Hop,
    #[serde(flatten)]
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    Fine {
        what: String,
    },
    /// It works, and should not stay so.
    Doubtful(#[serde(serialize_with = "told")] Fault),
    Broken(#[serde(serialize_with = "told")] Fault),
    /// Something before it is broken.
    Untried,
}

impl Finding {
    pub(super) fn fine(hop: Hop, what: impl Into<String>) -> Self {
        Self { hop, state: State::Fine { what: what.into() } }
    }

    pub(super) fn of(hop: Hop, fault: Fault) -> Self {
        let state = if fault.breaks() { State::Broken(fault) } else { State::Doubtful(fault) };
        Self { hop, state }
    }

    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken(_))
    }

    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match &self.state {
            State::Broken(fault) | State::Doubtful(fault) => Some(fault),
            State::Fine { .. } | State::Untried => None,
        }
    }
}

impl Hop {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Policy => "policy",
            Self::ClientCertificate => "client certificate",
            Self::TrustAnchors => "trust anchors",
            Self::Address => "address",
            Self::Port => "port",
            Self::Tls => "TLS",
            Self::ServerCertificate => "server certificate",
            Self::CertificateRequest => "certificate request",
            Self::Acceptance => "acceptance",
            Self::Answer => "answer",
            Self::Gateway => "gateway",
        }
    }
}

fn told<S: Serializer>(fault: &Fault, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'f> {
        fault: &'f str,
        why: String,
        cure: &'f str,
    }
    Told { fault: fault.name(), why: fault.to_string(), cure: fault.cure() }.serialize(serializer)
}
