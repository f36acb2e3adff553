use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use super::inspect::Certificate;
use super::{Authority, Error, Validity};

/// What an authority does not vouch for any more, before it is signed (CRL: RFC 5280, section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Of the list that this was read from; 0: there was none.
    number: u64,
    revoked: Vec<Revoked>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Revoked {
    serial: Vec<u8>,
    at: OffsetDateTime,
    reason: Option<u8>,
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Reason {
    #[default]
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl Revocations {
    /// Reads the list of `authority` from PEM; lists of other authorities may stand beside it. None of its own is an
    /// empty one.
    ///
    /// # Errors
    /// [`Error::OthersList`]: one that bears its name has another's signature. [`Error::Unreadable`].
    pub fn read(pem: &str, authority: &Authority) -> Result<Self, Error> {
        let (_, own) = X509Certificate::from_der(authority.der()).map_err(|_| Error::Unreadable)?;
        let mut found = Self::default();
        for block in Pem::iter_from_buffer(pem.as_bytes()) {
            let block = block.map_err(|_| Error::NotPem { wanted: LABEL })?;
            if block.label != LABEL {
                continue;
            }
            let (_, list) =
                CertificateRevocationList::from_der(&block.contents).map_err(|_| Error::Unreadable)?;
            if list.issuer().as_raw() != own.subject().as_raw() {
                continue;
            }
            list.verify_signature(own.public_key()).map_err(|_| Error::OthersList)?;
            found = Self::of(&list);
        }
        Ok(found)
    }

    /// Adds a certificate; once is enough. `false`: it was revoked already.
    pub fn revoke(&mut self, certificate: &Certificate, reason: Reason, now: OffsetDateTime) -> bool {
        let serial = certificate.with_parsed(|parsed| parsed.raw_serial().to_vec());
        if self.revoked.iter().any(|revoked| revoked.serial == serial) {
            return false;
        }
        self.revoked.push(Revoked { serial, at: now, reason: Some(reason.code()) });
        true
    }

    /// How long a list is good, where nothing else is said: long enough for a weekly job to fail three times.
    ///
    /// # Errors
    /// See [`Validity::days`].
    pub fn validity() -> Result<Validity, Error> {
        Validity::days(30)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.revoked.len()
    }

    /// The next list, signed, as PEM. Who checks revocation refuses everything once the list is out of date.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn sign(&self, authority: &Authority, validity: Validity) -> Result<String, Error> {
        let revoked = self.revoked.iter().map(|revoked| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&revoked.serial),
            revocation_time: revoked.at,
            reason_code: revoked.reason.and_then(reason),
            invalidity_date: None,
        });
        let issuer: Issuer<'_, &KeyPair> = authority.issuer()?;
        let params = CertificateRevocationListParams {
            this_update: validity.not_before(),
            next_update: validity.not_after(),
            crl_number: SerialNumber::from(self.number + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(authority.key_identifier()),
        };
        Ok(params.signed_by(&issuer)?.pem()?.replace("\r\n", "\n"))
    }

    fn of(list: &CertificateRevocationList<'_>) -> Self {
        let revoked = list.iter_revoked_certificates().map(|revoked| Revoked {
            serial: revoked.raw_serial().to_vec(),
            at: revoked.revocation_date.to_datetime(),
            reason: revoked.reason_code().map(|(_, code)| code.0),
        });
        let number = list.crl_number().map(|number| number.iter_u64_digits().next().unwrap_or_default());
        Self { number: number.unwrap_or_default(), revoked: revoked.collect() }
    }
}

impl Reason {
    fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }
}

/// RFC 5280 wants "unspecified" to be left out.
fn reason(code: u8) -> Option<RevocationReason> {
    Some(match code {
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        _ => return None,
    })
}

const LABEL: &str = "X509 CRL";
