use rcgen::{DistinguishedName, DnType};

use super::Error;
use super::inspect::Certificate;

/// Whom a certificate is about: attributes by their kind, in order.
#[derive(Clone, Debug)]
pub struct Subject(Vec<(DnType, String)>);

impl Subject {
    /// A common name, nothing else.
    pub(super) fn named(common_name: &str) -> Self {
        Self(vec![(DnType::CommonName, common_name.to_owned())])
    }

    /// That of a certificate. `None`: rcgen, which has one value for each kind, cannot write it again.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let attributes: Vec<_> = certificate.with_parsed(|parsed| {
            let attributes = parsed.subject().iter().map(|set| {
                let mut attributes = set.iter();
                let (attribute, None) = (attributes.next()?, attributes.next()) else { return None };
                let oid: Vec<u64> = attribute.attr_type().iter()?.collect();
                Some((DnType::from_oid(&oid), attribute.as_str().ok()?.to_owned()))
            });
            attributes.collect::<Option<_>>()
        })?;
        let repeats = |(at, (kind, _)): (usize, &(DnType, String))| {
            attributes[..at].iter().any(|(other, _)| other == kind)
        };
        (!attributes.iter().enumerate().any(repeats)).then_some(Self(attributes))
    }

    pub(super) fn distinguished(&self) -> Result<DistinguishedName, Error> {
        let mut name = DistinguishedName::new();
        for (kind, value) in &self.0 {
            if *kind == DnType::CommonName && !(1..=64).contains(&value.chars().count()) {
                return Err(Error::CommonName(value.clone()));
            }
            name.push(kind.clone(), value.as_str());
        }
        Ok(name)
    }
}
