use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rcgen::SanType;
use rcgen::string::Ia5String;
use rustls::pki_types::DnsName;

/// A name that a certificate speaks for (subjectAltName).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(SanType);

impl Name {
    /// A URI, such as the `spiffe://` identity of a workload.
    ///
    /// # Errors
    /// Not an absolute URI.
    pub fn uri(uri: &str) -> Result<Self, InvalidNames> {
        let absolute = uri.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some());
        (absolute.then(|| Ia5String::try_from(uri)).and_then(Result::ok))
            .map(|uri| Self(SanType::URI(uri)))
            .ok_or_else(|| InvalidNames(vec![uri.to_owned()]))
    }

    /// As [`inspect`](super::inspect) writes it; `None`: of a kind that is not made here.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("DNS" | "IP", name) => name.parse().ok().or_else(|| {
                // What others have issued need not be a DNS name as we have it: `_x.y`, say.
                Ia5String::try_from(name).ok().map(|name| Self(SanType::DnsName(name)))
            }),
            ("URI", uri) => Ia5String::try_from(uri).ok().map(|uri| Self(SanType::URI(uri))),
            ("email", address) => {
                Ia5String::try_from(address).ok().map(|address| Self(SanType::Rfc822Name(address)))
            }
            _ => None,
        }
    }

    pub(super) fn san(&self) -> SanType {
        self.0.clone()
    }
}

impl FromStr for Name {
    type Err = InvalidNames;

    /// An IP address or a DNS name, whose leftmost label may be `*`.
    fn from_str(text: &str) -> Result<Self, InvalidNames> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(SanType::IpAddress(address)));
        }
        // A certificate's names are fully qualified without saying so: one with the dot at its end matches nothing.
        let is_dns =
            !text.ends_with('.') && DnsName::try_from(text.strip_prefix("*.").unwrap_or(text)).is_ok();
        (is_dns.then(|| Ia5String::try_from(text.to_ascii_lowercase())).and_then(Result::ok))
            .map(|name| Self(SanType::DnsName(name)))
            .ok_or_else(|| InvalidNames(vec![text.to_owned()]))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SanType::IpAddress(address) => address.fmt(f),
            SanType::DnsName(name) | SanType::Rfc822Name(name) | SanType::URI(name) => {
                f.write_str(name.as_str())
            }
            // No constructor makes another kind.
            _ => Ok(()),
        }
    }
}

/// Names in the order given, each once. As text: separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Name>);

impl Names {
    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }
}

impl FromStr for Names {
    type Err = InvalidNames;

    /// # Errors
    /// Every name that is neither a DNS name nor an IP address, not only the first.
    fn from_str(text: &str) -> Result<Self, InvalidNames> {
        let (mut names, mut invalid) = (Vec::new(), Vec::new());
        for name in text.split(',').map(str::trim) {
            match name.parse() {
                Ok(name) => names.push(name),
                Err(InvalidNames(these)) => invalid.extend(these),
            }
        }
        if invalid.is_empty() { Ok(names.into_iter().collect()) } else { Err(InvalidNames(invalid)) }
    }
}

impl FromIterator<Name> for Names {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        let mut unique = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        Self(unique)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Texts that are no names, as they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNames(pub Vec<String>);

impl fmt::Display for InvalidNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{name:?} is neither a DNS name nor an IP address")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidNames {}
