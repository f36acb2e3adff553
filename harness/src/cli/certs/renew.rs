use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::need_authority;
use crate::cli::{print, rfc3339};
use pki::inspect::{self, Certificate};
use pki::{Authority, AuthorityFiles, IdentityFiles, Validity};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "Files: NAME.crt and NAME.key (NAME.pem with both, if it is there), tls.crt and tls.key, or \
NAME.pem and NAME_key.pem; a directory is all of its identities that are of this authority.

Examples:
  harness certs renew certs/mtls/kong-client.crt
  harness certs renew certs/mtls --days 90"
)]
pub(in crate::cli) struct Renew {
    /// Certificates, each with its key beside it, or directories
    #[arg(required = true, value_name = "PLACE")]
    places: Vec<PathBuf>,
    /// Directory of the authority's ca.crt and ca.key
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    ca_dir: PathBuf,
    /// How long the new ones are valid, but no longer than the authority [default: as long as those before]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
}

pub(super) fn run(typed: Renew) -> anyhow::Result<()> {
    need_authority(&typed.ca_dir)?;
    let authority = AuthorityFiles::at(&typed.ca_dir).authority()?;
    let validity = typed.days.map(Validity::days).transpose()?;
    for place in &typed.places {
        let found = identities(place, &authority)?;
        if found.is_empty() {
            bail!("{}: no identity of {} lies there", place.display(), authority.certificate().subject);
        }
        for (path, leaf) in found {
            print(&renew(&path, &leaf, &authority, validity)?)?;
        }
    }
    Ok(())
}

/// Identities of a directory, or of one file, that `authority` has issued.
pub(super) fn identities(place: &Path, authority: &Authority) -> anyhow::Result<Vec<(PathBuf, Certificate)>> {
    let mut found = Vec::new();
    for material in inspect::read(place)? {
        let Ok(material) = material else { continue };
        if let Some((path, leaf)) = material.identity()
            && leaf.is_issued_by(authority.certificate())
        {
            found.push((path.to_owned(), leaf.clone()));
        }
    }
    Ok(found)
}

/// Replaces one; what was done, as a line.
pub(super) fn renew(
    path: &Path,
    leaf: &Certificate,
    authority: &Authority,
    validity: Option<Validity>,
) -> anyhow::Result<String> {
    let files = IdentityFiles::beside(path)?;
    let issued = authority.renew(leaf, validity).with_context(|| path.display().to_string())?;
    files.replace(&issued)?;
    let until = rfc3339(issued.not_after())?;
    Ok(format!("{}: {} until {until}, sha256 {}\n", path.display(), leaf.subject, issued.fingerprint()))
}
