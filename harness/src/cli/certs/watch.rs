use std::path::{Path, PathBuf};
use std::time::Duration as Wait;

use anyhow::{Context, bail};
use clap::Args;
use time::{Duration, OffsetDateTime};

use super::renew::{identities, renew};
use crate::cli::signals::Signals;
use crate::cli::{print, rfc3339, tell};
use pki::inspect::{Certificate, is_manifest};
use pki::{Authority, AuthorityFiles, Manifest};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "A directory in which Kubernetes' ..data link is gets all files in one step, others each by a \
rename; a manifest is replaced whole, for `kubectl apply`.

Examples:
  harness certs watch certs/mtls
  harness certs watch certs/mtls --once --renew-before 14"
)]
pub(in crate::cli) struct Watch {
    /// Directories and certificates with their keys (tls.crt, tls.key), or manifests with Secrets (.yaml)
    #[arg(required = true, value_name = "PLACE")]
    places: Vec<PathBuf>,
    /// Directory of the authority's ca.crt and ca.key
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    ca_dir: PathBuf,
    /// Renew what ends within so many days, but nothing in the first two thirds of its time
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    renew_before: u32,
    /// Look once and end, for cron
    #[arg(long)]
    once: bool,
    /// Between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
}

pub(super) fn run(typed: Watch) -> anyhow::Result<()> {
    if typed.once {
        return look(&typed);
    }
    let signals = Signals::catch()?;
    let mut told = String::new();
    signals.until_stopped_every(Wait::from_secs(typed.interval), |_| {
        // Told once, until it is another reason: a look that fails is repeated.
        let failure = look(&typed).err().map(|reason| format!("error: {reason:#}\n")).unwrap_or_default();
        if failure != told {
            tell(&failure);
            told = failure;
        }
    });
    Ok(())
}

/// Renews what is due everywhere; one place that fails does not keep the others from it.
fn look(typed: &Watch) -> anyhow::Result<()> {
    let authority = AuthorityFiles::at(&typed.ca_dir).authority()?;
    let ahead = Duration::days(typed.renew_before.into());
    let failures: Vec<_> = (typed.places.iter())
        .filter_map(|place| look_at(place, &authority, ahead).err())
        .map(|reason| format!("{reason:#}"))
        .collect();
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("; ")) }
}

fn look_at(place: &Path, authority: &Authority, ahead: Duration) -> anyhow::Result<()> {
    let now = OffsetDateTime::now_utc();
    if is_manifest(place) {
        let mut manifest = Manifest::read(place)?;
        for leaf in manifest.identities() {
            if !leaf.is_issued_by(authority.certificate()) || !is_due(&leaf, ahead, now) {
                continue;
            }
            let issued = authority.renew(&leaf, None).with_context(|| place.display().to_string())?;
            manifest.replace(&leaf, &issued)?;
            print(&format!(
                "{}: {} until {}\n",
                place.display(),
                leaf.subject,
                rfc3339(issued.not_after())?
            ))?;
        }
        return Ok(manifest.write()?);
    }
    let found = identities(place, authority)?;
    if found.is_empty() {
        bail!("{}: no identity of {} lies there", place.display(), authority.certificate().subject);
    }
    for (path, leaf) in found.iter().filter(|(_, leaf)| is_due(leaf, ahead, now)) {
        print(&renew(path, leaf, authority, None)?)?;
    }
    Ok(())
}

/// As cert-manager has it, two thirds are never too early; `ahead` alone would renew a short-lived one at each look.
fn is_due(leaf: &Certificate, ahead: Duration, now: OffsetDateTime) -> bool {
    let third = (leaf.not_after - leaf.not_before) / 3;
    leaf.not_after - now < ahead.min(third)
}
