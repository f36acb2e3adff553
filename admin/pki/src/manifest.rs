use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::inspect::{Certificate, secrets};
use super::placed::write;
use super::{Access, Issued};

/// A file with Secrets whose `tls.crt` and `tls.key` are exchanged, and nothing else in it. No `Debug`: it holds keys.
pub struct Manifest {
    path: PathBuf,
    text: String,
    before: String,
    /// Leaf, and the Base64 of its chain and key as it stands in the text.
    identities: Vec<(Certificate, String, String)>,
}

impl Manifest {
    /// # Errors
    /// No Secret in it, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let secrets =
            secrets(path, text.as_bytes()).map_err(|reason| Error::new(ErrorKind::InvalidData, reason))?;
        let identities = secrets.into_iter().filter_map(|secret| {
            let (chain, key) = (secret.entry("tls.crt")?, secret.entry("tls.key")?);
            let leaf = secret.certificates("tls.crt")?.into_iter().next()?;
            Some((leaf, STANDARD.encode(chain), STANDARD.encode(key)))
        });
        let identities = identities.collect();
        Ok(Self { path: path.to_owned(), before: text.clone(), text, identities })
    }

    /// Leaves of its Secrets.
    #[must_use]
    pub fn identities(&self) -> Vec<Certificate> {
        self.identities.iter().map(|(leaf, ..)| leaf.clone()).collect()
    }

    /// Puts `issued` in the place of `leaf`.
    ///
    /// # Errors
    /// It does not stand there as one line of Base64, as kubectl writes it.
    pub fn replace(&mut self, leaf: &Certificate, issued: &Issued) -> Result<()> {
        for (_, chain, key) in self.identities.iter().filter(|(other, ..)| other == leaf) {
            if !self.text.contains(chain.as_str()) || !self.text.contains(key.as_str()) {
                let message = format!(
                    "{}: {}: tls.crt and tls.key have to be one line of Base64 each, under data",
                    self.path.display(),
                    leaf.subject
                );
                return Err(Error::new(ErrorKind::InvalidData, message));
            }
            self.text = self.text.replace(chain.as_str(), &STANDARD.encode(issued.chain_pem()));
            self.text = self.text.replace(key.as_str(), &STANDARD.encode(issued.key().pem()));
        }
        Ok(())
    }

    /// Replaces the file, if anything has changed.
    ///
    /// # Errors
    /// It cannot be written; then it is as it was.
    pub fn write(&self) -> Result<()> {
        if self.text == self.before {
            return Ok(());
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = self.path.parent().unwrap_or(Path::new("."));
        write(directory, vec![(name, Access::Owner, self.text.clone())])
    }
}
