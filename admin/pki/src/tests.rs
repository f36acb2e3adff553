//! What is issued here, judged by others: OpenSSL and rustls.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error as TlsError, RootCertStore};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Algorithm, Authority, Ca, Error, Issued, Leaf, PrivateKey, Validity};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::EcdsaP256, Algorithm::EcdsaP384, Algorithm::Ed25519];

#[test]
fn openssl_and_rustls_accept_every_algorithm_for_its_purpose_only() {
    for algorithm in ALGORITHMS {
        let root = Authority::root(&Ca::named("root").algorithm(algorithm)).unwrap();
        let server = root.issue(&server().algorithm(algorithm)).unwrap();
        let client = root.issue(&Leaf::client("kong-client").algorithm(algorithm)).unwrap();

        assert_eq!(as_server(&root, &server, "localhost"), Ok(()), "{algorithm:?}");
        assert_eq!(as_server(&root, &server, "127.0.0.1"), Ok(()), "{algorithm:?}");
        assert_eq!(as_client(&root, &client), Ok(()), "{algorithm:?}");
        assert!(is_purpose(as_server(&root, &client, "localhost")), "{algorithm:?}");
        assert!(is_purpose(as_client(&root, &server)), "{algorithm:?}");

        let directory = tempfile::tempdir().unwrap();
        root.write(directory.path(), "ca").unwrap();
        for (issued, purpose, other) in
            [(server, "sslserver", "sslclient"), (client, "sslclient", "sslserver")]
        {
            issued.write(directory.path(), purpose).unwrap();
            if !openssl_there(3) {
                continue;
            }
            assert_eq!(openssl_verify(directory.path(), purpose, purpose), Ok(()), "{algorithm:?}");
            assert!(openssl_verify(directory.path(), purpose, other).is_err(), "{algorithm:?}");
            assert_eq!(
                openssl_public_key_of_key(directory.path(), purpose),
                openssl_public_key(directory.path(), purpose)
            );
        }
    }
}

#[test]
fn intermediates_travel_in_the_chain_and_the_root_does_not() {
    let root = Authority::root(&Ca::named("root").path_length(2)).unwrap();
    let upper = root.intermediate(&Ca::named("upper").path_length(1)).unwrap();
    let lower = upper.intermediate(&Ca::named("lower")).unwrap();
    let client = lower.issue(&Leaf::client("kong-client")).unwrap();

    assert_eq!(client.chain(), [client.der(), lower.der(), upper.der()].map(Clone::clone));
    assert_eq!(as_client(&root, &client), Ok(()));
    assert_eq!(lower.intermediate(&Ca::named("too deep")).err(), Some(Error::LastAuthority));
    assert_eq!(upper.intermediate(&Ca::named("too wide").path_length(1)).err(), Some(Error::LastAuthority));

    let directory = tempfile::tempdir().unwrap();
    root.write(directory.path(), "ca").unwrap();
    client.write(directory.path(), "sslclient").unwrap();
    if openssl_there(1) {
        assert_eq!(openssl_verify(directory.path(), "sslclient", "sslclient"), Ok(()));
    }
}

#[test]
fn an_authority_read_back_issues_the_same_chain() {
    let root = Authority::root(&Ca::named("root").path_length(1)).unwrap();
    let lower = root.intermediate(&Ca::named("lower")).unwrap();
    for (authority, above) in [(&root, String::new()), (&lower, root.pem())] {
        let again = Authority::from_pem(&(authority.pem() + &above), &authority.key().pem()).unwrap();
        let client = again.issue(&Leaf::client("kong-client")).unwrap();
        assert_eq!(as_client(&root, &client), Ok(()));
        assert_eq!(again.fingerprint(), authority.fingerprint());
    }
}

#[test]
fn only_an_authority_with_its_own_key_is_taken_over() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    let leaf = root.issue(&Leaf::client("kong-client")).unwrap();
    let refused = |chain: &str, key: &str| Authority::from_pem(chain, key).err();

    let mut not_ca = rcgen::CertificateParams::default();
    not_ca.is_ca = rcgen::IsCa::ExplicitNoCa;
    let not_ca = not_ca.self_signed(leaf.key().pair()).unwrap().pem();

    assert_eq!(refused(&leaf.chain_pem(), &leaf.key().pem()), Some(Error::NotAnAuthority));
    assert_eq!(refused(&not_ca, &leaf.key().pem()), Some(Error::NotAnAuthority));
    assert_eq!(refused(&root.pem(), &leaf.key().pem()), Some(Error::KeyMismatch));
    assert_eq!(refused("", &root.key().pem()), Some(Error::NotPem { wanted: "CERTIFICATE" }));
    assert_eq!(refused(&root.pem(), &root.pem()), Some(Error::NotPem { wanted: "PRIVATE KEY" }));
}

#[test]
fn nothing_outlives_its_authority() {
    let year = Validity::days(365).unwrap();
    let root = Authority::root(&Ca::named("root").path_length(1).valid(year)).unwrap();
    let longer = Validity::days(366).unwrap();
    let outlives = Some(Error::Outlives { leaf: longer.not_after(), authority: year.not_after() });

    assert_eq!(root.issue(&Leaf::client("c").valid(longer)).err(), outlives);
    assert_eq!(root.intermediate(&Ca::named("lower").valid(longer)).err(), outlives);
    assert_eq!(root.issue(&Leaf::client("c").valid(year)).unwrap().not_after(), year.not_after());
    assert_eq!(root.intermediate(&Ca::named("lower")).unwrap().not_after(), year.not_after());
}

#[test]
fn expired_and_future_certificates_can_be_had_and_are_refused() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    let client = |validity| root.issue(&Leaf::client("c").valid(validity)).unwrap();

    let verdict = as_client(&root, &client(Validity::expired()));
    assert!(
        matches!(verdict, Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext { .. }))),
        "{verdict:?}"
    );
    let verdict = as_client(&root, &client(Validity::not_yet()));
    assert!(
        matches!(verdict, Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. }))),
        "{verdict:?}"
    );

    let now = OffsetDateTime::now_utc();
    assert_eq!(Validity::between(now, now), Err(Error::EmptyValidity));
    assert_eq!(Validity::days(u32::MAX), Err(Error::EmptyValidity));
    let backdate = now - Validity::days(1).unwrap().not_before();
    assert!((Duration::minutes(4)..Duration::minutes(6)).contains(&backdate), "{backdate}");
}

#[test]
fn another_authority_of_the_same_name_is_not_trusted() {
    let [ours, theirs] = [(); 2].map(|()| Authority::root(&Ca::named("root")).unwrap());
    assert!(as_client(&ours, &theirs.issue(&Leaf::client("c")).unwrap()).is_err());
}

#[test]
fn a_new_key_under_the_same_name_is_another_certificate_and_a_renewal_keeps_the_key() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    let leaf = Leaf::client("kong-client");
    let (first, second) = (root.issue(&leaf).unwrap(), root.issue(&leaf).unwrap());
    let renewed = root.issue_for(&leaf, PrivateKey::from_pem(&first.key().pem()).unwrap()).unwrap();

    assert_ne!(first.key().public(), second.key().public());
    assert_eq!(first.key().public(), renewed.key().public());
    let fingerprints = std::collections::HashSet::from([&first, &second, &renewed].map(Issued::fingerprint));
    assert_eq!(fingerprints.len(), 3);
}

#[test]
fn serial_numbers_are_random_positive_and_short_unless_chosen() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    let serial = |leaf: &Leaf| {
        let issued = root.issue(leaf).unwrap();
        let (_, parsed) = X509Certificate::from_der(issued.der()).unwrap();
        parsed.raw_serial().to_vec()
    };
    let serials: std::collections::HashSet<_> = (0..64).map(|_| serial(&Leaf::client("c"))).collect();
    assert_eq!(serials.len(), 64);
    assert!(serials.iter().all(|serial| serial.len() == 16 && serial[0] & 0x80 == 0));
    assert_eq!(serial(&Leaf::client("c").serial(7)), [7]);
}

#[test]
fn a_leaf_carries_its_names_its_key_identifiers_and_nothing_of_a_ca() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    let uri = super::Name::uri("spiffe://example.org/kong").unwrap();
    let issued = root.issue(&server().known_as(uri)).unwrap();
    let (_, leaf) = X509Certificate::from_der(issued.der()).unwrap();
    let (_, ca) = X509Certificate::from_der(root.der()).unwrap();

    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert_eq!(
        names.value.general_names,
        [
            GeneralName::DNSName("localhost"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
            GeneralName::URI("spiffe://example.org/kong")
        ]
    );
    let constraints = leaf.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());

    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = ca.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
    assert!(!usage.value.digital_signature());
    assert_eq!(ca.extended_key_usage().unwrap(), None);

    let extensions = |certificate: &X509Certificate<'_>| {
        let text = format!(
            "{:?}",
            certificate.iter_extensions().map(|e| e.parsed_extension().clone()).collect::<Vec<_>>()
        );
        (text.contains("SubjectKeyIdentifier"), text.contains("AuthorityKeyIdentifier"))
    };
    assert_eq!((extensions(&leaf), extensions(&ca)), ((true, true), (true, true)));
}

#[test]
fn a_common_name_has_one_to_64_characters() {
    let root = Authority::root(&Ca::named("root")).unwrap();
    for (name, fits) in [(String::new(), false), ("ü".repeat(64), true), ("x".repeat(65), false)] {
        let issued = root.issue(&Leaf::client(&name));
        assert_eq!(issued.err(), (!fits).then_some(Error::CommonName(name)));
    }
}

#[test]
fn every_bad_name_is_reported_and_repeats_are_dropped() {
    let bad = "localhost,not a name,127.0.0.1.5,localhost.,http://x,".parse::<super::Names>().unwrap_err();
    assert_eq!(bad.0, ["not a name", "127.0.0.1.5", "localhost.", "http://x", ""]);
    let good: super::Names = "Localhost, *.example.org,::1,localhost, 0:0::1".parse().unwrap();
    assert_eq!(good.to_string(), "localhost, *.example.org, ::1");
    assert!(super::Name::uri("example.org/kong").is_err());
}

#[test]
fn keys_are_0600_and_pkcs8() {
    let directory = tempfile::tempdir().unwrap();
    let root = Authority::root(&Ca::named("root")).unwrap();
    root.write(directory.path(), "ca").unwrap();
    let mode = |name: &str| directory.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.crt") & 0o755), (0o600, 0o644));
    let key = std::fs::read_to_string(directory.path().join("ca.key")).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

fn server() -> Leaf {
    Leaf::server("dogcatcher-api").reached_as("localhost,127.0.0.1".parse().unwrap())
}

fn roots(root: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    Arc::new(roots)
}

fn ring() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn as_server(root: &Authority, issued: &Issued, name: &str) -> Result<(), TlsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(root), ring()).build().unwrap();
    let name = ServerName::try_from(name).unwrap();
    let [leaf, above @ ..] = issued.chain() else { unreachable!() };
    verifier.verify_server_cert(leaf, above, &name, &[], UnixTime::now()).map(drop)
}

fn as_client(root: &Authority, issued: &Issued) -> Result<(), TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(root), ring()).build().unwrap();
    let [leaf, above @ ..] = issued.chain() else { unreachable!() };
    verifier.verify_client_cert(leaf, above, UnixTime::now()).map(drop)
}

fn is_purpose(verdict: Result<(), TlsError>) -> bool {
    matches!(verdict, Err(TlsError::InvalidCertificate(CertificateError::InvalidPurposeContext { .. })))
}

fn openssl_there(checks: usize) -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    if !there {
        println!("skipped: no openssl ({checks} checks)");
    }
    there
}

/// As strict as OpenSSL can be: RFC 5280 to the letter, each signature in the chain.
fn openssl_verify(directory: &Path, name: &str, purpose: &str) -> Result<(), String> {
    let certificate = format!("{name}.crt");
    openssl(
        directory,
        &[
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            "ca.crt",
            "-untrusted",
            &certificate,
            &certificate,
        ],
    )
    .map(drop)
}

fn openssl_public_key(directory: &Path, name: &str) -> Result<String, String> {
    openssl(directory, &["x509", "-pubkey", "-noout", "-in", &format!("{name}.crt")])
}

fn openssl_public_key_of_key(directory: &Path, name: &str) -> Result<String, String> {
    openssl(directory, &["pkey", "-pubout", "-in", &format!("{name}.key")])
}

fn openssl(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
