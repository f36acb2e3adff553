//! What all requests of one gateway share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ::log::Level;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::generation::Generation;
use super::log::Log;
use super::metrics::Metrics;
use super::page::{Event, Page};
use super::upstream::{Change, Pools, publish, refresh};
use super::wasm::Filters;

/// A gateway but for its listeners.
pub(super) struct Core {
    file: PathBuf,
    pub(super) filters: Filters,
    pub(super) pools: Pools,
    pub(super) log: Log,
    pub(super) counters: Counters,
    pub(super) metrics: Metrics,
    /// Absent: nothing is remembered of any request.
    pub(super) page: Option<Page>,
    in_force: RwLock<Arc<Generation>>,
    /// Held by whoever changes what is in force, from what it looks at until it is done.
    changing: Mutex<()>,
    pub(super) reloads: Counters,
    pub(super) reloaded: Notify,
}

impl Core {
    /// # Errors
    /// The config is refused.
    pub(super) fn new(file: PathBuf, filters: Filters, page: Option<Page>) -> anyhow::Result<Self> {
        let log = Log::default();
        let generation = Generation::load(&file, &filters, &log, None)?.for_page(page.as_ref());
        let core = Self {
            file,
            filters,
            pools: Pools::default(),
            log,
            counters: Counters::default(),
            metrics: Metrics::default(),
            page,
            in_force: RwLock::new(Arc::new(generation)),
            changing: Mutex::default(),
            reloads: Counters::default(),
            reloaded: Notify::new(),
        };
        core.refresh();
        Ok(core)
    }

    pub(super) fn in_force(&self) -> Arc<Generation> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the config file as it is now. All is made ready first; then one pointer changes.
    ///
    /// # Errors
    /// The config is refused; the one before stays in force.
    pub(super) fn reload(&self) -> anyhow::Result<()> {
        let changing = self.changing();
        let loaded = Generation::load(&self.file, &self.filters, &self.log, Some(&self.in_force()));
        self.reloads.count(if loaded.is_ok() { "taken" } else { "refused" });
        let next = loaded.inspect_err(|error| {
            self.log
                .line(Level::Error, format_args!("config refused, the one before stays in force: {error:#}"));
            self.happened(|| Event::kept("config", format_args!("{error:#}")));
        })?;
        self.take_over(Arc::new(next.for_page(self.page.as_ref())));
        drop(changing);
        self.reloaded.notify_one();
        self.log.line(Level::Info, "config reloaded");
        self.happened(|| Event::taken("config", "reloaded"));
        Ok(())
    }

    /// Looks at the files of certificates and consumers once.
    pub(super) fn refresh(&self) {
        let _changing = self.changing();
        let in_force = self.in_force();
        let changes = refresh(&in_force.upstreams, &self.pools, now());
        self.tell(&in_force, &changes);
        let (files, mut errors) = in_force.consumers_files.look();
        match files.map(|files| in_force.with_consumers(files, &self.filters, &self.log)) {
            None => {}
            Some(Ok(next)) => {
                self.take_over(Arc::new(next));
                self.log.line(Level::Info, "consumers reloaded");
                self.happened(|| Event::taken("consumers", "reloaded"));
            }
            Some(Err(error)) => errors.push(error),
        }
        for error in errors {
            self.log.line(
                Level::Error,
                format_args!("consumers refused, the last valid ones stay active: {error:#}"),
            );
            self.happened(|| Event::kept("consumers", format_args!("{error:#}")));
        }
    }

    fn take_over(&self, next: Arc<Generation>) {
        let changes = publish(&next.upstreams, &self.pools, now(), || {
            *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        });
        self.tell(&next, &changes);
    }

    /// What a look at the files has found, and what ends soon.
    fn tell(&self, generation: &Generation, changes: &[Change]) {
        for change in changes {
            self.log.line(level(change), change);
            self.happened(|| Event::of(change, &generation.upstreams));
        }
        for what in &generation.upstreams.expiring(now()) {
            self.log.line(Level::Warn, what);
            self.happened(|| Event::ending(what));
        }
    }

    fn happened(&self, event: impl FnOnce() -> Event) {
        if let Some(page) = &self.page {
            page.events.keep(event());
        }
    }

    /// The config file's name, without its directory.
    pub(super) fn config_name(&self) -> String {
        self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy().into_owned()
    }

    /// Until the next look at the files.
    pub(super) fn interval(&self) -> Duration {
        let in_force = self.in_force();
        let of_consumers = if in_force.consumers_files.is_empty() { IDLE } else { CONSUMERS };
        in_force.upstreams.interval.unwrap_or(IDLE).min(of_consumers).max(SHORTEST)
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of requests, or of reloads.
#[derive(Default)]
pub(super) struct Counters(Mutex<BTreeMap<&'static str, u64>>);

impl Counters {
    pub(super) fn count(&self, outcome: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    pub(super) fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn level(change: &Change) -> Level {
    if change.outcome.is_ok() { Level::Info } else { Level::Error }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Where there are no files, connections of what has expired still are to be closed.
const IDLE: Duration = Duration::from_secs(10);
/// As the native plugin looks at consumers files.
const CONSUMERS: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(10);
