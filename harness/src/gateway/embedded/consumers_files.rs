//! The consumers files of mtls-policy: the filter has no files, so it is given what stands in them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::consumers_file::{self, read};
use crate::gateway::declarative::{Config, Filter};
use crate::regular;

/// What is in force of every consumers file that a config names.
#[derive(Default)]
pub(super) struct ConsumersFiles(BTreeMap<PathBuf, File>);

struct File {
    consumers: Value,
    /// The newest text, good or not: what has been reported is not reported again.
    seen: Mutex<String>,
}

impl ConsumersFiles {
    /// Reads them all. Where one cannot be used, what `before` has of it stays in force.
    ///
    /// # Errors
    /// Those that cannot be used, and never could.
    pub(super) fn read(config: &Config, before: Option<&Self>) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for path in filters(config).filter_map(|filter| named(filter).map(|(path, _)| path)) {
            let text = regular::text(&path).unwrap_or_default();
            let known = before.and_then(|before| before.0.get(&path));
            let consumers = match (read(&path), known) {
                (Ok(consumers), _) => consumers,
                (Err(_), Some(known)) => known.consumers.clone(),
                (Err(error), None) => return Err(error),
            };
            files.insert(path, File { consumers, seen: Mutex::new(text) });
        }
        Ok(Self(files))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files as they are now; `None` where nothing has changed since the last look.
    ///
    /// # Errors
    /// What has changed cannot be used.
    pub(super) fn look(&self) -> anyhow::Result<Option<Self>> {
        let (mut fresh, mut changed) = (BTreeMap::new(), false);
        for (path, file) in &self.0 {
            let text = regular::text(path).unwrap_or_default();
            let mut seen = file.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let consumers = if *seen == text {
                file.consumers.clone()
            } else {
                seen.clone_from(&text);
                changed = true;
                read(path)?
            };
            fresh.insert(path.clone(), File { consumers, seen: Mutex::new(text) });
        }
        Ok(changed.then_some(Self(fresh)))
    }

    /// A filter's config, with the consumers in the place of the file's name.
    pub(super) fn put_into(&self, filter: &Filter) -> Vec<u8> {
        let with_consumers = named(filter).and_then(|(path, config)| {
            let consumers = self.0.get(&path)?.consumers.clone();
            Some(consumers_file::put(consumers, config).to_string().into_bytes())
        });
        with_consumers.unwrap_or_else(|| filter.config.clone())
    }
}

fn filters(config: &Config) -> impl Iterator<Item = &Filter> {
    let services = config.services.iter().flat_map(|service| &service.filters);
    services.chain(config.routes.iter().flat_map(|route| &route.filters))
}

/// The file that a filter's config names, and that config.
fn named(filter: &Filter) -> Option<(PathBuf, Value)> {
    if filter.name != "mtls-policy" {
        return None;
    }
    let config: Value = serde_json::from_slice(&filter.config).ok()?;
    Some((consumers_file::named(&config)?, config))
}
