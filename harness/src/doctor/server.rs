//! What the upstream shows, judged as the gateway does it; what it is refused for is then looked up.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error as TlsError};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::trust::Trusted;
use super::{Fault, Finding, Hop};
use pki::inspect::{Certificate, End, Inspection, Material};

/// `known`: what else there is of certificates, to say of one that is missing whose it is.
pub(super) fn look(
    shown: &[Certificate],
    trusted: Option<&Trusted>,
    known: &[Certificate],
    name: &str,
    now: OffsetDateTime,
) -> Finding {
    let Some(leaf) = shown.first() else {
        return Finding::of(HOP, Fault::ServerRefused { why: "it shows none".into() });
    };
    let told = || Finding::fine(HOP, format!("{}, {} days left", leaf.subject, leaf.days_left(now)));
    // Unverified, which was said already.
    let Some(trusted) = trusted else { return told() };
    let ders: Vec<CertificateDer<'_>> = shown.iter().map(|one| one.der.clone()).collect();
    match trusted.against.verify(&ders, name, now) {
        Ok(()) => told(),
        Err(reason) => Finding::of(HOP, fault(leaf, shown, trusted, known, name, now, &reason)),
    }
}

fn fault(
    leaf: &Certificate,
    shown: &[Certificate],
    trusted: &Trusted,
    known: &[Certificate],
    name: &str,
    now: OffsetDateTime,
    reason: &TlsError,
) -> Fault {
    // What is true of the leaf whatever its chain is.
    if leaf.not_after < now {
        return Fault::ServerExpired { at: leaf.not_after };
    }
    if leaf.not_before > now {
        return Fault::ServerNotYetValid { from: leaf.not_before };
    }
    let material =
        Material { anchors: Some(trusted.certificates.clone()), ..Material::live(name, shown.to_vec()) };
    let chain = Inspection::of(material, now, Duration::ZERO).chain;
    match chain.map(|chain| chain.end) {
        Some(End::Missing { issuer }) if is_below_ours(&issuer, known, trusted) => {
            return Fault::ServerIntermediateMissing { issuer };
        }
        Some(End::Missing { issuer } | End::Forged { issuer }) => {
            return Fault::ServerUnknownAuthority { issuer };
        }
        Some(End::Root) => return Fault::ServerUnknownAuthority { issuer: leaf.issuer.clone() },
        Some(End::Anchored { .. }) | None => {}
    }
    if !leaf.serves("serverAuth") {
        return Fault::ServerUsage;
    }
    match reason {
        TlsError::InvalidCertificate(CertificateError::Revoked) => Fault::ServerRevoked,
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => match name.parse::<IpAddr>() {
            Ok(_) if trusted.against.names.is_empty() => Fault::AddressAsName { host: name.to_owned() },
            _ => Fault::ServerName { asked: name.to_owned(), has: leaf.names.clone() },
        },
        other => Fault::ServerRefused { why: other.to_string() },
    }
}

/// Whether the certificate that is missing is one of an authority below ours, as one that we have ourselves says: that of
/// our client certificate, mostly. From the name alone nobody can tell.
fn is_below_ours(issuer: &str, known: &[Certificate], trusted: &Trusted) -> bool {
    let mut known = known.iter().filter(|one| one.subject == issuer);
    known.any(|one| trusted.certificates.iter().any(|anchor| signs(anchor, one)))
}

/// By name and signature. [`Certificate::is_issued_by`] is about leaves.
fn signs(anchor: &Certificate, lower: &Certificate) -> bool {
    let ders = |one: &Certificate| CertificateDer::from(one.der.to_vec());
    let (anchor, lower) = (ders(anchor), ders(lower));
    let parsed = |der: &CertificateDer<'_>, by: &CertificateDer<'_>| {
        let (_, lower) = X509Certificate::from_der(der).ok()?;
        let (_, upper) = X509Certificate::from_der(by).ok()?;
        Some(lower.issuer() == upper.subject() && lower.verify_signature(Some(upper.public_key())).is_ok())
    };
    parsed(&lower, &anchor).unwrap_or(false)
}

const HOP: Hop = Hop::ServerCertificate;
