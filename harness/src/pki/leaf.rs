use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::{Algorithm, Error, Name, Names, Validity, authority};

/// A request for a certificate that signs no other: one purpose, server or client.
#[derive(Clone, Debug)]
pub struct Leaf {
    common_name: String,
    purpose: ExtendedKeyUsagePurpose,
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
        let mut params = authority::params(&self.common_name, validity)?;
        if let Some(serial) = self.serial {
            params.serial_number = Some(serial.into());
        }
        // "Explicit" for the subjectKeyIdentifier, which rcgen leaves out otherwise.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![self.purpose.clone()];
        params.subject_alt_names = self.names.iter().map(Name::san).collect();
        Ok(params)
    }

    fn new(common_name: &str, purpose: ExtendedKeyUsagePurpose) -> Self {
        Self {
            common_name: common_name.to_owned(),
            purpose,
            names: Vec::new(),
            algorithm: Algorithm::default(),
            serial: None,
            validity: None,
        }
    }
}
