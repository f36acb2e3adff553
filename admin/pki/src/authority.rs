use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::inspect::Certificate;
use super::{Algorithm, Error, Issued, Leaf, PrivateKey, Subject, Validity};

/// A request for a certificate that signs others, and does nothing else.
#[derive(Clone, Debug)]
pub struct Ca {
    common_name: String,
    algorithm: Algorithm,
    validity: Option<Validity>,
    path_length: u8,
}

impl Ca {
    /// Ten years (or as long as its own authority), and leaves only.
    #[must_use]
    pub fn named(common_name: &str) -> Self {
        Self {
            common_name: common_name.to_owned(),
            algorithm: Algorithm::default(),
            validity: None,
            path_length: 0,
        }
    }

    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    #[must_use]
    pub fn valid(self, validity: Validity) -> Self {
        Self { validity: Some(validity), ..self }
    }

    /// How many authorities may stand between this one and a leaf; 0 if not set.
    #[must_use]
    pub fn path_length(self, path_length: u8) -> Self {
        Self { path_length, ..self }
    }

    fn params(&self, validity: Validity) -> Result<CertificateParams, Error> {
        let mut params = params(&Subject::named(&self.common_name), validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(self.path_length));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }
}

/// A certificate authority with its key.
pub struct Authority {
    identity: Issued,
    certificate: Certificate,
    /// What a leaf has to send along: this certificate and those above it, but for the root, which the peer has.
    below: Vec<CertificateDer<'static>>,
    not_after: OffsetDateTime,
    /// How many authorities may be below; `None`: any number.
    path_length: Option<u32>,
}

impl Authority {
    /// Creates a self-signed one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn root(ca: &Ca) -> Result<Self, Error> {
        let key = PrivateKey::generate(ca.algorithm)?;
        let validity = ca.validity.map_or_else(|| Validity::days(CA_DAYS), Ok)?;
        let certificate = ca.params(validity)?.self_signed(key.pair())?;
        Self::new(vec![certificate.into()], key)
    }

    /// Creates one below this one; what it issues carries its certificate in the chain.
    ///
    /// # Errors
    /// [`Error::LastAuthority`], [`Error::Outlives`]; else see [`Error`].
    pub fn intermediate(&self, ca: &Ca) -> Result<Self, Error> {
        if self.path_length.is_some_and(|length| length <= ca.path_length.into()) {
            return Err(Error::LastAuthority);
        }
        let key = PrivateKey::generate(ca.algorithm)?;
        let params = ca.params(self.within(ca.validity, CA_DAYS)?)?;
        Self::new(self.sign(&params, &key)?, key)
    }

    /// Takes one over from PEM: its certificate, then those above it, if any.
    ///
    /// # Errors
    /// [`Error::NotPem`], [`Error::Unreadable`], [`Error::NotAnAuthority`], [`Error::KeyMismatch`].
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, Error> {
        let not_pem = Error::NotPem { wanted: "CERTIFICATE" };
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| not_pem.clone())?;
        if chain.is_empty() {
            return Err(not_pem);
        }
        Self::new(chain, PrivateKey::from_pem(key)?)
    }

    /// Signs a certificate for a new key. Asking twice gives two certificates and two keys under the same names.
    ///
    /// # Errors
    /// [`Error::Outlives`], [`Error::CommonName`]; else see [`Error`].
    pub fn issue(&self, leaf: &Leaf) -> Result<Issued, Error> {
        self.issue_for(leaf, PrivateKey::generate(leaf.key_algorithm())?)
    }

    /// Signs a certificate for a key that exists: a renewal.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn issue_for(&self, leaf: &Leaf, key: PrivateKey) -> Result<Issued, Error> {
        let validity = self.within(leaf.validity, LEAF_DAYS)?;
        self.issue_within(leaf, key, validity)
    }

    /// Signs a certificate for a new key in the place of one that exists; it ends with this authority where the other's
    /// length of validity would be too long.
    ///
    /// # Errors
    /// [`Error::Unlike`]; else see [`Error`].
    pub fn renew(&self, certificate: &Certificate, validity: Option<Validity>) -> Result<Issued, Error> {
        let leaf = Leaf::like(certificate)?;
        let validity = validity.or(leaf.validity).map_or_else(|| Validity::days(LEAF_DAYS), Ok)?;
        let key = PrivateKey::generate(leaf.key_algorithm())?;
        self.issue_within(&leaf, key, validity.until(self.not_after))
    }

    fn issue_within(&self, leaf: &Leaf, key: PrivateKey, validity: Validity) -> Result<Issued, Error> {
        let chain = self.sign(&leaf.params(validity)?, &key)?;
        Ok(Issued::new(chain, key, validity))
    }

    /// The certificate alone, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        super::issued::pem(self.der())
    }

    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        self.identity.der()
    }

    /// What its certificate says.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        self.identity.key()
    }

    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// SHA-256 of the certificate, lower-case hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.identity.fingerprint()
    }

    /// Writes NAME.crt and NAME.key, as [`Issued::write`].
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, directory: &Path, name: &str) -> std::io::Result<()> {
        self.identity.write(directory, name)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKey) -> Result<Self, Error> {
        let own = chain.first().ok_or(Error::Unreadable)?;
        let (_, parsed) = X509Certificate::from_der(own).map_err(|_| Error::Unreadable)?;
        let constraints = parsed.basic_constraints().map_err(|_| Error::Unreadable)?;
        let usage = parsed.key_usage().map_err(|_| Error::Unreadable)?;
        let path_length = match constraints {
            Some(constraints) if constraints.value.ca => constraints.value.path_len_constraint,
            _ => return Err(Error::NotAnAuthority),
        };
        // RFC 5280, section 4.2.1.3: without keyUsage every use is allowed.
        if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(Error::NotAnAuthority);
        }
        if parsed.public_key().raw != key.public() {
            return Err(Error::KeyMismatch);
        }
        let validity = parsed.validity();
        let validity =
            Validity::between(validity.not_before.to_datetime(), validity.not_after.to_datetime())?;
        let not_after = validity.not_after();
        let mut below: Vec<_> = chain.iter().filter(|certificate| !is_root(certificate)).cloned().collect();
        below.dedup();
        let certificate = Certificate::of(own.clone()).ok_or(Error::Unreadable)?;
        Ok(Self { certificate, below, not_after, path_length, identity: Issued::new(chain, key, validity) })
    }

    /// The validity asked for, or `days`; never longer than this authority's own.
    fn within(&self, asked: Option<Validity>, days: u32) -> Result<Validity, Error> {
        match asked {
            None => Ok(Validity::days(days)?.until(self.not_after)),
            Some(asked) if asked.not_after() <= self.not_after => Ok(asked),
            Some(asked) => Err(Error::Outlives { leaf: asked.not_after(), authority: self.not_after }),
        }
    }

    /// Its subjectKeyIdentifier, by which others find it; empty if it has none.
    pub(super) fn key_identifier(&self) -> Vec<u8> {
        let parsed = X509Certificate::from_der(self.der());
        let extensions = parsed.iter().flat_map(|(_, parsed)| parsed.extensions());
        let mut identifiers = extensions.filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
            _ => None,
        });
        identifiers.next().unwrap_or_default()
    }

    pub(super) fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, Error> {
        Ok(Issuer::from_ca_cert_der(self.der(), self.key().pair())?)
    }

    /// The new certificate, then what has to be sent along with it.
    fn sign(
        &self,
        params: &CertificateParams,
        key: &PrivateKey,
    ) -> Result<Vec<CertificateDer<'static>>, Error> {
        let certificate = params.signed_by(key.pair(), &self.issuer()?)?;
        Ok(std::iter::once(certificate.into()).chain(self.below.iter().cloned()).collect())
    }
}

/// What every certificate has: subject, validity, random serial number, key identifiers.
pub(super) fn params(subject: &Subject, validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished()?;
    params.not_before = validity.not_before();
    params.not_after = validity.not_after();
    params.serial_number = Some(random_serial()?);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 126 random bits. RFC 5280, section 4.1.2.2, wants a positive number of at most 20 bytes: the two bits that are not
/// random keep it positive and of one length.
fn random_serial() -> Result<SerialNumber, Error> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| Error::Random)?;
    serial[0] = (serial[0] & 0x3f) | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}

const CA_DAYS: u32 = 3650;
const LEAF_DAYS: u32 = 365;
