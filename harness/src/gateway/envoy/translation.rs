//! A config for an Envoy without this driver.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use super::clusters::Sds;
use super::files::{discovery, write};
use super::filters::OWN;
use super::plan::Plan;
use super::{bootstrap, refused};
use kong_config::declarative::{self, Config};

/// Loads a config, and refuses what is wrong with it or not done on Envoy.
///
/// # Errors
/// All that is wrong, with its places.
pub(super) fn load(file: &Path, filters: &Path) -> anyhow::Result<Config> {
    let config = declarative::load(file, &names(filters)?)?;
    refused::check(&config)?;
    Ok(config)
}

/// Translates a config for an Envoy that serves at `proxy`: all that it is started with, in one document.
///
/// With `sds` its secrets are written there, one file each, and Envoy takes over what changes in the files that they
/// name. Without, they stand in the document, and Envoy reads the files once.
///
/// # Errors
/// The config is refused, a private key would stand in the document, or `sds` cannot be written.
pub fn translate(
    file: &Path,
    filters: &Path,
    proxy: SocketAddr,
    sds: Option<&Path>,
) -> anyhow::Result<Value> {
    let absolute =
        |path: &Path| path.canonicalize().with_context(|| format!("cannot read {}", path.display()));
    let filters = absolute(filters)?;
    let config = load(file, &filters)?;
    let plan = Plan::configured(&config);
    let secrets = plan.secrets();
    let Some(directory) = sds else {
        if let Some(secret) = secrets.values().find(|secret| secret.is_private()) {
            bail!("{}: the config holds a private key, which would be shown: give --sds", secret.name);
        }
        return Ok(bootstrap::whole(&config, &plan, &filters, &Sds::Bootstrap, proxy));
    };
    fs::create_dir_all(directory).with_context(|| format!("cannot write {}", directory.display()))?;
    let directory = absolute(directory)?;
    for secret in secrets.values() {
        let path = directory.join(secret.file_name());
        let document = discovery("1", vec![secret.resource()]);
        write(&path, &document).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(bootstrap::whole(&config, &plan, &filters, &Sds::Files(directory), proxy))
}

/// Names of the filters in a directory of `NAME.wasm`, and `NAME.envoy.json` for Envoy's own.
fn names(filters: &Path) -> anyhow::Result<BTreeSet<String>> {
    let unreadable = || format!("cannot read {}", filters.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(filters).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".wasm").or(name.strip_suffix(OWN)).map(str::to_owned));
    }
    Ok(names)
}
