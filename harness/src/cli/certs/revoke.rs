use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use time::OffsetDateTime;

use super::need_authority;
use crate::cli::{print, rfc3339};
use pki::{Access, AuthorityFiles, Batch, Existing, Reason, Revocations, Validity, inspect};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "Without certificates the list is signed anew, for those who check it refuse everything once \
it is out of date.

Examples:
  harness certs revoke certs/mtls/kong-client.crt --reason key-compromise
  harness certs revoke"
)]
pub(in crate::cli) struct Revoke {
    /// Certificates that the authority does not vouch for any more
    #[arg(value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// Directory of the authority's ca.crt, ca.key and ca.crl
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    ca_dir: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    reason: Reason,
    /// How long the new list is good
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u32,
}

pub(super) fn run(typed: Revoke) -> anyhow::Result<()> {
    need_authority(&typed.ca_dir)?;
    let files = AuthorityFiles::at(&typed.ca_dir);
    let authority = files.authority()?;
    let path = files.revocations();
    let mut list = match std::fs::read_to_string(&path) {
        Ok(before) => Revocations::read(&before, &authority).with_context(|| path.display().to_string())?,
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => Revocations::default(),
        Err(reason) => return Err(reason).with_context(|| path.display().to_string()),
    };
    let mut told = String::new();
    for certificate in &typed.certificates {
        let Some(material) = inspect::read(certificate)?.pop() else { continue };
        let leaf = &material?.certificates[0];
        if !leaf.is_issued_by(authority.certificate()) {
            bail!("{}: {} did not issue it", certificate.display(), authority.certificate().subject);
        }
        let is_new = list.revoke(leaf, typed.reason, OffsetDateTime::now_utc());
        let what = if is_new { "revoked" } else { "was revoked already" };
        told += &format!("{}: {}, serial {}, {what}\n", certificate.display(), leaf.subject, leaf.serial);
    }
    let validity = Validity::days(typed.days)?;
    let mut batch = Batch::new(&typed.ca_dir);
    batch.add("ca.crl", Access::Public, list.sign(&authority, validity)?);
    batch.write(Existing::Replace)?;
    let until = rfc3339(validity.not_after())?;
    print(&format!("{told}{}: {} revoked, to be replaced before {until}\n", path.display(), list.count()))
}
