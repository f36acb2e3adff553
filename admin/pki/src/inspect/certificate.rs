use std::fmt;

use rustls::pki_types::CertificateDer;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};
use x509_parser::public_key;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Chain, End, distinguished, names, usage};

/// What one certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    #[serde(skip)]
    pub der: CertificateDer<'static>,
    /// As [RFC 4514] escapes, in the certificate's own order; empty if there is none.
    ///
    /// [RFC 4514]: https://www.rfc-editor.org/rfc/rfc4514
    pub subject: String,
    pub issuer: String,
    /// Lower-case hex of whole bytes, after a `-` where a broken issuer made it negative.
    pub serial: String,
    /// Subject alternative names with their kind: `DNS:localhost`, `IP:127.0.0.1`, `URI:spiffe://…`.
    pub names: Vec<String>,
    /// Absent: every use is allowed (RFC 5280, 4.2.1.3).
    pub key_usage: Option<Vec<&'static str>>,
    /// Absent: every purpose is allowed (RFC 5280, 4.2.1.12).
    pub extended_key_usage: Option<Vec<String>>,
    /// basicConstraints CA.
    pub is_authority: bool,
    /// How many authorities may be below this one; absent: any number.
    pub path_length: Option<u32>,
    #[serde(serialize_with = "rfc3339")]
    pub not_before: OffsetDateTime,
    #[serde(serialize_with = "rfc3339")]
    pub not_after: OffsetDateTime,
    #[serde(serialize_with = "as_text")]
    pub public_key: PublicKey,
    /// `ecdsa-with-SHA256` and the like; dotted numbers where it has no name here.
    pub signature_algorithm: String,
    /// SHA-256 of the DER, lower-case hex.
    pub sha256: String,
    /// Extensions that are critical and unknown here, or that cannot be read: dotted numbers.
    pub opaque: Vec<String>,
}

/// What kind of key a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// By its curve's name, or the dotted number of it.
    Ec(String),
    Ed25519,
    Ed448,
    Other(String),
    Rsa {
        bits: usize,
    },
}

impl Certificate {
    /// Reads one from DER; `None`: it is not X.509, or something follows it.
    #[must_use]
    pub fn of(der: CertificateDer<'static>) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        // The first of each kind counts; a second one is illegal, and listed as opaque.
        let (mut certificate, mut opaque) = (Self::bare(&der, &parsed), Vec::new());
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) if certificate.names.is_empty() => {
                    certificate.names = names.general_names.iter().map(names::of).collect();
                }
                ParsedExtension::KeyUsage(usage) if certificate.key_usage.is_none() => {
                    certificate.key_usage = Some(usage::basic(usage));
                }
                ParsedExtension::ExtendedKeyUsage(usage) if certificate.extended_key_usage.is_none() => {
                    certificate.extended_key_usage = Some(usage::extended(usage));
                }
                ParsedExtension::BasicConstraints(constraints) => {
                    certificate.is_authority = constraints.ca;
                    certificate.path_length = constraints.path_len_constraint;
                }
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::Unparsed
                    if !extension.critical => {}
                ParsedExtension::UnsupportedExtension { .. }
                | ParsedExtension::Unparsed
                | ParsedExtension::ParseError { .. }
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_) => opaque.push(extension.oid.to_id_string()),
                _ => {}
            }
        }
        certificate.opaque = opaque;
        Some(Self { der, ..certificate })
    }

    /// The first common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        self.with_parsed(|parsed| {
            let name = parsed.subject().iter_common_name().next()?;
            name.as_str().ok().map(str::to_owned)
        })
    }

    /// Subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.with_parsed(|parsed| parsed.subject().as_raw() == parsed.issuer().as_raw())
    }

    /// Whole days until it expires at `now`, rounded down: 0 in its last 24 hours, negative when they are over.
    #[must_use]
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(86_400)
    }

    /// Whether `authority` has signed it, as far as that can be checked here.
    #[must_use]
    pub fn is_issued_by(&self, authority: &Self) -> bool {
        let chain = Chain::of(std::slice::from_ref(self), std::slice::from_ref(authority));
        chain.is_some_and(|chain| matches!(chain.end, End::Anchored { .. }))
    }

    /// Whether it may serve as `purpose` (`serverAuth`, `clientAuth`).
    #[must_use]
    pub fn serves(&self, purpose: &str) -> bool {
        let any = "anyExtendedKeyUsage";
        let usages = self.extended_key_usage.as_ref();
        usages.is_none_or(|usages| usages.iter().any(|usage| usage == purpose || usage == any))
    }

    /// `None` where it cannot be parsed once more, which cannot be.
    pub(crate) fn with_parsed<T: Default>(&self, ask: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
        X509Certificate::from_der(&self.der).map(|(_, parsed)| ask(&parsed)).unwrap_or_default()
    }

    /// Without what extensions say.
    fn bare(der: &CertificateDer<'static>, parsed: &X509Certificate<'_>) -> Self {
        Self {
            der: CertificateDer::from(Vec::new()),
            subject: distinguished::text(parsed.subject()),
            issuer: distinguished::text(parsed.issuer()),
            serial: serial(parsed.raw_serial()),
            names: Vec::new(),
            key_usage: None,
            extended_key_usage: None,
            is_authority: false,
            path_length: None,
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
            public_key: PublicKey::of(parsed.public_key()),
            signature_algorithm: signature(&parsed.signature_algorithm.algorithm.to_id_string()),
            sha256: hex(&Sha256::digest(der)),
            opaque: Vec::new(),
        }
    }
}

impl PublicKey {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = info.algorithm.algorithm.to_id_string();
        match algorithm.as_str() {
            // id-RSASSA-PSS keys are RSA keys with a promise.
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
                public_key::RSAPublicKey::from_der(&info.subject_public_key.data)
                    .map_or(Self::Other(algorithm), |(_, key)| Self::Rsa { bits: key.key_size() })
            }
            "1.2.840.10045.2.1" => {
                let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
                Self::Ec(match curve.map(|oid| oid.to_id_string()).as_deref() {
                    Some("1.2.840.10045.3.1.7") => "P-256".into(),
                    Some("1.3.132.0.34") => "P-384".into(),
                    Some("1.3.132.0.35") => "P-521".into(),
                    Some(other) => other.into(),
                    None => "explicit parameters".into(),
                })
            }
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            _ => Self::Other(algorithm),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Ed448 => f.write_str("Ed448"),
            Self::Other(algorithm) => f.write_str(algorithm),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
        }
    }
}

pub(super) fn rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&date(*time))
}

/// RFC 3339; with the year alone where RFC 3339 has no words for it (before 0, after 9999).
pub(super) fn date(time: OffsetDateTime) -> String {
    let format = time::format_description::well_known::Rfc3339;
    time.format(&format).unwrap_or_else(|_| time.year().to_string())
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A two's complement number of any length.
fn serial(bytes: &[u8]) -> String {
    if bytes.first().is_none_or(|first| first & 0x80 == 0) {
        let digits = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
        return hex(&bytes[digits..]);
    }
    let mut carry = true;
    let mut magnitude: Vec<u8> = (bytes.iter().rev())
        .map(|byte| {
            let (byte, over) = (!byte).overflowing_add(carry.into());
            carry = over;
            byte
        })
        .collect();
    magnitude.reverse();
    let digits = magnitude.iter().position(|byte| *byte != 0).unwrap_or(0);
    format!("-{}", hex(&magnitude[digits..]))
}

fn signature(oid: &str) -> String {
    let name = match oid {
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.3.101.112" => "ED25519",
        "1.3.101.113" => "ED448",
        other => other,
    };
    name.to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
