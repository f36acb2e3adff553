//! What a TLS handshake told about the other side.

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ServerConnection};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::ledger::{Client, Connection};

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
    let leaf = chain.first()?;
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let sans = parsed.subject_alternative_name().ok().flatten();
    Some(Client {
        subject: parsed.subject().to_string(),
        common_name: (parsed.subject().iter_common_name().next())
            .and_then(|name| name.as_str().ok())
            .map(str::to_owned),
        sans: sans.map(|sans| sans.value.general_names.iter().map(name).collect()).unwrap_or_default(),
        serial: format!("{:x}", Bytes::copy_from_slice(parsed.raw_serial())),
        fingerprint: format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(leaf))),
        chain_length: chain.len(),
    })
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => format!("IP:{}", std::net::Ipv4Addr::new(a, b, c, d)),
            ref bytes => <[u8; 16]>::try_from(bytes).map_or_else(
                |_| format!("IP:{bytes:?}"),
                |octets| format!("IP:{}", std::net::Ipv6Addr::from(octets)),
            ),
        },
        other => other.to_string(),
    }
}
