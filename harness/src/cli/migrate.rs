//! `harness migrate`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use super::policy::documents;
use super::{No, Usage, print};
use pki::{Access, Batch, Existing};
use policy_tools::Engine;
use policy_tools::migrate::{self, Migration, Outcome, Refused, Report, Source};

/// What was typed.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Typed {
    /// The old config, or several files that an Admin API has listed
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What it is a config of [default: by its content]
    #[arg(long, value_enum)]
    from: Option<Source>,
    /// The shell that is going to be loaded [default: either will do]
    #[arg(long, value_parser = Engine::NAMES.map(clap::builder::PossibleValue::new), value_name = "ENGINE")]
    engine: Option<String>,
    /// Where the new config goes, instead of stdout; readable by its owner alone where it holds secrets
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where certificates and private keys go that stand in the old config and have to be in files
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// Where the report goes, instead of stderr
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Report as one JSON document
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "FILE is Kong's declarative config, decK's state, what a running Kong's Admin API tells (GET /config; \
/services, /routes, /plugins, /consumers, /key-auths, /acls, /certificates and /ca_certificates together), an Envoy's config, \
or a standalone apisix.yaml; `-` is stdin.

The new config goes to stdout, what has become of the old one to stderr. Keys come out as their digests. What cannot be \
mapped stays as it was.

Examples:
  harness migrate kong.yml > new.yml
  harness migrate kong.yml --engine native --output new.yml --report report.txt
  harness migrate envoy.yaml > kong.yml
  harness migrate apisix.yaml --certificates /etc/secrets/kong > kong.yml

Exit codes: 0 all is mapped; 1 something is not, or would be no valid config; 2 could not ask.";

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { files, from, engine, output, certificates, report: report_to, force, json } = typed;
    let engine = engine.map(|name| name.parse::<Engine>()).transpose()?;
    let documents = documents(&files)?;
    let source = from.unwrap_or_else(|| Source::guess(&documents));
    let migrated = migrate::migrate(&documents, source, engine, certificates.as_deref());
    let Migration { config, secret, files: held, report } = match migrated {
        Ok(migration) => migration,
        Err(Refused::Unusable(why)) => return Err(Usage(vec![why]).into()),
        Err(refused @ Refused::Invalid(_)) => return Err(No(refused.to_string()).into()),
    };
    if let (Some(path), None) = (&secret, &output) {
        let why =
            format!("a secret stands in the new config ({path}): give a file to write it to, --output FILE");
        return Err(Usage(vec![why]).into());
    }
    if !force {
        let there =
            [&output, &report_to].into_iter().flatten().filter(|path| path.symlink_metadata().is_ok());
        let there: Vec<_> = there.map(|path| path.display().to_string()).collect();
        ensure!(there.is_empty(), "already there: {} (--force replaces files)", there.join(", "));
    }
    let access = if secret.is_some() { Access::Owner } else { Access::Public };
    if let Some(directory) = certificates.filter(|_| !held.is_empty()) {
        let mut batch = Batch::new(&directory);
        held.into_iter().for_each(|file| batch.add(&file.name, file.access, file.content));
        batch.write(existing(force)).context("cannot write (--force replaces files)")?;
    }
    match (config, &output) {
        (Some(config), Some(path)) => write(path, access, config, force)?,
        (Some(config), None) => print(&config)?,
        (None, _) => {}
    }
    tell(&report, report_to.as_deref(), force, json)?;
    let missing = report.of(Outcome::Unmapped).count();
    match report.is_whole() {
        true => Ok(()),
        false => Err(No(format!("not all of it is mapped: {missing} to be done by hand")).into()),
    }
}

fn tell(report: &Report, to: Option<&Path>, force: bool, json: bool) -> anyhow::Result<()> {
    let text = match json {
        true => serde_json::to_string_pretty(&migrate::json(report))? + "\n",
        false => migrate::text(report),
    };
    match to {
        Some(path) => write(path, Access::Public, text, force),
        None => {
            // Nobody is left to be told when stderr is closed.
            let _ = std::io::stderr().write_all(text.as_bytes());
            Ok(())
        }
    }
}

/// All of it or nothing.
fn write(path: &Path, access: Access, text: String, force: bool) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).context("no name of a file")?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut batch = Batch::new(directory);
    batch.add(name, access, text);
    batch.write(existing(force)).context("cannot write")
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}
