use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::inspect::Certificate;
use super::{Algorithm, Error, Name, Names, Subject, Validity, authority};

/// A request for a certificate that signs no other. For one purpose, server or client, unless it is to be like one that
/// serves both.
#[derive(Clone, Debug)]
pub struct Leaf {
    subject: Subject,
    purposes: Vec<ExtendedKeyUsagePurpose>,
    names: Vec<Name>,
    algorithm: Algorithm,
    serial: Option<u64>,
    pub(super) validity: Option<Validity>,
}

impl Leaf {
    /// For a TLS server (serverAuth only). Clients look at the names of [`Leaf::reached_as`], never at this one.
    #[must_use]
    pub fn server(common_name: &str) -> Self {
        Self::new(common_name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a TLS client (clientAuth only).
    #[must_use]
    pub fn client(common_name: &str) -> Self {
        Self::new(common_name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// What a certificate that exists says: subject, names, purposes, kind of key (P-256 for kinds that cannot be
    /// generated here) and length of validity, from now on.
    ///
    /// # Errors
    /// [`Error::Unlike`]: something in it cannot be said again, so that whoever issued it has to renew it.
    pub fn like(certificate: &Certificate) -> Result<Self, Error> {
        let unlike = |what: &str| Error::Unlike(what.to_owned());
        if certificate.is_authority {
            return Err(unlike("it is an authority's"));
        }
        if let Some(oid) = certificate.opaque.first() {
            return Err(unlike(&format!("extension {oid}")));
        }
        let purpose = |usage: &String| match usage.as_str() {
            "serverAuth" => Ok(ExtendedKeyUsagePurpose::ServerAuth),
            "clientAuth" => Ok(ExtendedKeyUsagePurpose::ClientAuth),
            other => Err(unlike(&format!("purpose {other}"))),
        };
        let purposes = certificate.extended_key_usage.iter().flatten().map(purpose);
        let names = (certificate.names.iter())
            .map(|name| Name::read(name).ok_or_else(|| unlike(&format!("name {name}"))));
        let length = certificate.not_after - certificate.not_before - Validity::BACKDATE;
        Ok(Self {
            subject: Subject::of(certificate).ok_or_else(|| unlike("its subject"))?,
            purposes: purposes.collect::<Result<_, _>>()?,
            names: names.collect::<Result<_, _>>()?,
            algorithm: Algorithm::like(&certificate.public_key),
            serial: None,
            validity: Some(Validity::lasting(length)?),
        })
    }

    /// Adds the DNS names and IP addresses of a server.
    #[must_use]
    pub fn reached_as(mut self, names: Names) -> Self {
        self.names.extend(names.iter().cloned());
        self
    }

    /// Adds one name: the URI of a workload, say.
    #[must_use]
    pub fn known_as(mut self, name: Name) -> Self {
        self.names.push(name);
        self
    }

    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// Without it: 365 days, or less if the authority ends earlier.
    #[must_use]
    pub fn valid(self, validity: Validity) -> Self {
        Self { validity: Some(validity), ..self }
    }

    /// Instead of a random one. Only tests want two certificates that share a serial number.
    #[must_use]
    pub fn serial(self, serial: u64) -> Self {
        Self { serial: Some(serial), ..self }
    }

    pub(super) fn key_algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn params(&self, validity: Validity) -> Result<CertificateParams, Error> {
        let mut params = authority::params(&self.subject, validity)?;
        if let Some(serial) = self.serial {
            params.serial_number = Some(serial.into());
        }
        // "Explicit" for the subjectKeyIdentifier, which rcgen leaves out otherwise.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.purposes.clone();
        params.subject_alt_names = self.names.iter().map(Name::san).collect();
        Ok(params)
    }

    fn new(common_name: &str, purpose: ExtendedKeyUsagePurpose) -> Self {
        Self {
            subject: Subject::named(common_name),
            purposes: vec![purpose],
            names: Vec::new(),
            algorithm: Algorithm::default(),
            serial: None,
            validity: None,
        }
    }
}
