//! Certificates and keys as PEM.

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::names::{Names, skip_inert, uuid_at};
use super::{CaCertificate, Certificate, PemPair};
use crate::document::{Fields, Place};

/// Where `{vault://env/…}` references are looked up.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads Kong's `certificates`.
pub(super) fn certificates(
    list: Option<Place<'_>>,
    names: &mut Names,
    env: Environment<'_>,
) -> Vec<Certificate> {
    let mut read = Vec::new();
    for place in list.iter().flat_map(Place::items) {
        let Some(mut fields) = place.fields() else { continue };
        let id = id_in(&mut fields, names, read.len());
        let pair = pair(&mut fields, env);
        for field in ["cert_alt", "key_alt"] {
            fields.refuse(field, "a second pair is not supported");
        }
        fields.refuse("snis", "not supported: clients are not served by TLS here");
        skip_inert(&mut fields);
        fields.finish();
        // A bad pair is on the report; it keeps its place, so that references to it are not wrong too.
        read.push(Certificate { id, pair: pair.unwrap_or_else(PemPair::empty) });
    }
    read
}

/// Reads Kong's `ca_certificates`.
pub(super) fn ca_certificates(list: Option<Place<'_>>, names: &mut Names) -> Vec<CaCertificate> {
    let mut read = Vec::new();
    for place in list.iter().flat_map(Place::items) {
        let Some(mut fields) = place.fields() else { continue };
        let id = id_in(&mut fields, names, read.len());
        let pem = fields.need("cert").and_then(|cert| trust_anchor(&cert)).unwrap_or_default();
        fields.skip("cert_digest");
        skip_inert(&mut fields);
        fields.finish();
        read.push(CaCertificate { id, pem });
    }
    read
}

/// The fields `cert` and `key`, which must be there, parse and belong together.
pub(super) fn pair(fields: &mut Fields<'_>, env: Environment<'_>) -> Option<PemPair> {
    let (chain_at, key_at) = (fields.need("cert"), fields.need("key"));
    let (chain_at, key_at) = (chain_at?, key_at?);
    let (chain, key) = (resolved(&chain_at, env), resolved(&key_at, env));
    let (chain, key) = (chain?, key?);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let certificates = match certificates {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        _ => {
            chain_at.problem("not a chain of certificates in PEM");
            None
        }
    };
    let private_key = match PrivateKeyDer::from_pem_slice(key.as_bytes()) {
        Ok(private_key) => Some(private_key),
        Err(_) => {
            key_at.problem("not a private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)");
            None
        }
    };
    if let Err(error) = CertifiedKey::from_der(certificates?, private_key?, &default_provider()) {
        key_at.problem(format_args!("the pair is not usable: {error}"));
    }
    Some(PemPair { chain, key })
}

fn id_in(fields: &mut Fields<'_>, names: &mut Names, index: usize) -> String {
    let Some(place) = fields.get("id") else { return String::new() };
    let id = uuid_at(&place).unwrap_or_default();
    names.add(&id, index, &place);
    id
}

/// Kong takes one certificate, that of a CA (kong/db/schema/entities/ca_certificates.lua). That it must not
/// have expired either is left to the clock of each handshake.
fn trust_anchor(place: &Place<'_>) -> Option<String> {
    let pem = place.string()?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let problem = match certificates.as_deref() {
        Ok([certificate]) => match x509_parser::parse_x509_certificate(certificate) {
            Ok((_, certificate)) if certificate.is_ca() => return Some(pem.to_owned()),
            Ok(_) => "not the certificate of a CA: it lacks the CA basic constraint",
            Err(_) => "not a certificate",
        },
        Ok([]) | Err(_) => "not a certificate in PEM",
        Ok(_) => "more than one certificate: give each an entry of its own",
    };
    place.problem(problem);
    None
}

/// The text itself or, for `{vault://env/NAME}`, the environment variable: in upper case, `-` as `_`
/// (kong/vaults/env/init.lua).
fn resolved(place: &Place<'_>, env: Environment<'_>) -> Option<String> {
    let text = place.string()?;
    let Some(reference) = text.strip_prefix("{vault://").and_then(|text| text.strip_suffix('}')) else {
        return Some(text.to_owned());
    };
    let Some(name) = reference.strip_prefix("env/") else {
        place.problem("of Kong's vaults only env is supported: {vault://env/NAME}");
        return None;
    };
    let variable = name.to_ascii_uppercase().replace('-', "_");
    if !variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        place.problem("a reference to the environment has the form {vault://env/NAME}");
        return None;
    }
    let value = env(&variable);
    if value.is_none() {
        place.problem(format_args!("the environment variable {variable} is not set"));
    }
    value
}
