//! What the authorities of upstreams have revoked.

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::Unusable;
use super::identity::Digest;
use super::watched::Material;

/// Lists (CRLs) of one file, at least one. An upstream's chain is refused where one of its authorities has no list here,
/// or one that is out of date, as OpenSSL and Envoy do it: what cannot be looked up is not in order.
pub struct RevocationLists {
    lists: Vec<CertRevocationList<'static>>,
    digest: Digest,
    /// What they were read from.
    pub pem: String,
    /// When the first of them is out of date.
    pub not_after: OffsetDateTime,
}

impl RevocationLists {
    pub(super) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.lists.iter().collect()
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    fn parse(pem: &[u8]) -> Result<Self, Unusable> {
        let garbled = || Unusable::NoRevocationList("a PEM block is garbled or breaks off".into());
        let ders = CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let ders = ders.map_err(|_| garbled())?;
        if ders.is_empty() {
            return Err(Unusable::NoRevocationList("no PEM block \"X509 CRL\"".into()));
        }
        let mut lists = Vec::new();
        let mut not_after = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
        for der in &ders {
            let owned = OwnedCertRevocationList::from_der(der).map_err(|reason| {
                Unusable::NoRevocationList(format!("a list is not of RFC 5280: {reason}"))
            })?;
            lists.push(CertRevocationList::Owned(owned));
            let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|_| garbled())?;
            let until = parsed.next_update().map(|until| until.to_datetime());
            not_after = until.map_or(not_after, |until| not_after.min(until));
        }
        let digest = Digest::of(&ders);
        Ok(Self { lists, digest, pem: String::from_utf8_lossy(pem).into_owned(), not_after })
    }
}

impl Material for RevocationLists {
    fn read(files: &[Vec<u8>]) -> Result<Self, Unusable> {
        Self::parse(&files.concat())
    }

    fn check(&self, now: OffsetDateTime) -> Result<(), Unusable> {
        if now > self.not_after { Err(Unusable::Expired(self.not_after)) } else { Ok(()) }
    }
}
