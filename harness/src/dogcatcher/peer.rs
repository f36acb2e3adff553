//! What a TLS handshake told about the other side.

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ServerConnection};

use super::ledger::{Client, Connection};
use pki::inspect::Certificate;

/// A connection without TLS.
pub(super) fn plain(number: u64) -> Connection {
    Connection { number, client: None, tls_version: None, cipher: None, server_name: None, resumed: false }
}

/// A connection after its handshake.
pub(super) fn secured(number: u64, tls: &ServerConnection) -> Connection {
    Connection {
        number,
        client: tls.peer_certificates().and_then(client),
        tls_version: tls.protocol_version().and_then(|version| version.as_str()).map(str::to_owned),
        cipher: tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned),
        server_name: tls.server_name().map(str::to_owned),
        resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

fn client(chain: &[CertificateDer<'_>]) -> Option<Client> {
    let leaf = Certificate::of(chain.first()?.clone().into_owned())?;
    let common_name = leaf.common_name();
    let Certificate { subject, names: sans, serial, sha256: fingerprint, .. } = leaf;
    Some(Client { subject, common_name, sans, serial, fingerprint, chain_length: chain.len() })
}
