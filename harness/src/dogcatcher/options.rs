//! What a Dogcatcher is brought up with, and what may be changed while it serves.

use std::net::SocketAddr;

use super::Fault;

/// Listeners and what they demand. No `Debug`: it holds a private key.
#[derive(Clone, Default)]
pub struct Options {
    /// Plain HTTP; port 0 lets the system choose.
    pub http: Option<SocketAddr>,
    /// TLS; port 0 lets the system choose.
    pub mtls: Option<(SocketAddr, Tls)>,
    /// Keys that `X-API-Key` must be one of; empty: nobody is asked.
    pub api_keys: Vec<String>,
    /// What goes wrong from the beginning.
    pub fault: Fault,
}

/// TLS as the server offers it. No `Debug`: it holds a private key.
#[derive(Clone, PartialEq)]
pub struct Tls {
    /// The server's chain, PEM.
    pub chain: String,
    /// The server's private key, PEM.
    pub key: String,
    /// Authorities of which client certificates have to be, PEM.
    pub client_authorities: String,
    /// Lists of what these authorities, and those between, have revoked, PEM; one of each. `None`: nothing is looked up.
    pub client_revocations: Option<String>,
    pub client_certificate: ClientCertificate,
    pub versions: Versions,
    pub sessions: Sessions,
}

/// Whether clients are asked who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Who shows none is served too.
    Asked,
    /// Who shows none fails in the handshake.
    #[default]
    Demanded,
    NotAsked,
}

/// TLS versions that are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    Both,
    Tls12,
    Tls13,
}

/// Whether a client may resume its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sessions {
    #[default]
    None,
    /// By tickets, good for every name of this server.
    Tickets,
}
