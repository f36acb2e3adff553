//! The consumers files of mtls-policy: the filter has no files, so it is given what stands in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::consumers_file::{Content, Problem};
use anyhow::bail;
use serde_json::Value;

use kong_config::declarative::{Config, Filter};
use policy_tools::consumers_file;

/// What is in force of every consumers file that a config names.
#[derive(Default)]
pub(super) struct ConsumersFiles(BTreeMap<PathBuf, File>);

struct File {
    consumers: Value,
    /// What has been reported is not reported again.
    seen: Mutex<Seen>,
}

/// What the file was found to be.
#[derive(Clone, PartialEq)]
enum Seen {
    /// SHA-256 of its content, valid or not.
    Content([u8; 32]),
    Unreadable(Problem),
}

impl Seen {
    fn of(content: &Result<Content, Problem>) -> Self {
        match content {
            Ok(content) => Self::Content(content.digest()),
            Err(problem) => Self::Unreadable(problem.clone()),
        }
    }
}

impl ConsumersFiles {
    /// Reads them all. Where one cannot be used, what `before` has of it stays in force.
    ///
    /// # Errors
    /// Those that cannot be used, and never could.
    pub(super) fn read(config: &Config, before: Option<&Self>) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        for path in filters(config).filter_map(|filter| named(filter).map(|(path, _)| path)) {
            let known = before.and_then(|before| before.0.get(&path));
            let (seen, consumers) = load(&path);
            let consumers = match (consumers, known) {
                (Ok(consumers), _) => consumers,
                (Err(_), Some(known)) => known.consumers.clone(),
                (Err(error), None) => return Err(error),
            };
            files.insert(path, File { consumers, seen: Mutex::new(seen) });
        }
        Ok(Self(files))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the files as they are now, or `None` where nothing has changed since the last look; and an error for each
    /// that has changed and cannot be used. Its last valid consumers stay.
    pub(super) fn look(&self) -> (Option<Self>, Vec<anyhow::Error>) {
        let (mut fresh, mut changed, mut errors) = (BTreeMap::new(), false, Vec::new());
        for (path, file) in &self.0 {
            let mut seen = file.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let content = Content::load(path);
            let now = Seen::of(&content);
            let mut consumers = file.consumers.clone();
            if *seen != now {
                seen.clone_from(&now);
                match parsed(path, content) {
                    Ok(read) => {
                        changed = true;
                        consumers = read;
                    }
                    Err(error) => errors.push(error),
                }
            }
            fresh.insert(path.clone(), File { consumers, seen: Mutex::new(now) });
        }
        (changed.then_some(Self(fresh)), errors)
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

fn load(path: &Path) -> (Seen, anyhow::Result<Value>) {
    let content = Content::load(path);
    (Seen::of(&content), parsed(path, content))
}

fn parsed(path: &Path, content: Result<Content, Problem>) -> anyhow::Result<Value> {
    match content {
        Ok(content) => consumers_file::parse(path, &content),
        Err(problem) => bail!("consumers_file {}: {problem}", path.display()),
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
