use std::fmt;
use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use crate::inspect::{Asked, Certificate, End, Inspection, Material, Probe, Unreached};

/// A server that lives through the rotation, and says by its handshakes how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    host: String,
    port: u16,
}

impl Hop {
    /// Whether it takes client certificates of `authority`, as far as it says: the names that it asks for.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn trusts(&self, authority: &Certificate) -> Result<(), String> {
        let (asked, _) = self.shake_hands()?;
        match asked {
            Some(Asked { authorities })
                if !authorities.is_empty() && !authorities.contains(&authority.subject) =>
            {
                Err(format!("{self} does not take client certificates of {} yet", authority.subject))
            }
            _ => Ok(()),
        }
    }

    /// Whether what it shows chains to `authority`.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn shows(&self, authority: &Certificate) -> Result<(), String> {
        let (_, shown) = self.shake_hands()?;
        let material =
            Material { anchors: Some(vec![authority.clone()]), ..Material::live(&self.to_string(), shown) };
        let inspection = Inspection::of(material, OffsetDateTime::now_utc(), Duration::ZERO);
        match inspection.chain.map(|chain| chain.end) {
            Some(End::Anchored { .. }) => Ok(()),
            _ => Err(format!("{self} still shows a certificate that is not of {}", authority.subject)),
        }
    }

    fn shake_hands(&self) -> Result<(Option<Asked>, Vec<Certificate>), String> {
        match Probe::new(&self.host, self.port).ask() {
            Ok(answered) => Ok((answered.asked, answered.material.certificates)),
            Err(Unreached::Refused { asked, shown, .. }) => Ok((asked, shown)),
            Err(reason) => Err(format!("{self}: {reason}")),
        }
    }
}

impl FromStr for Hop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address =
            text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let (host, port) = address.ok_or_else(|| format!("{text:?} is not HOST:PORT"))?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
