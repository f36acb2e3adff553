//! The filters of a directory, compiled once for all workers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use wasmtime::{Config, Engine, InstancePre, Linker, Module, Store, StoreLimits, StoreLimitsBuilder};

use super::exports::cause;
use super::host::{Host, NoProperties};
use super::metrics::{Metrics, Reading};
use super::vm::Vm;
use super::{calls, wasi};

/// Every `NAME.wasm` of a directory, as Kong's `wasm_filters_path`.
#[derive(Clone)]
pub struct Filters {
    filters: Arc<[Arc<Filter>]>,
    // Stops with its last holder; a worker is one.
    _ticker: Arc<Ticker>,
}

/// What one filter may take. A filter that takes more traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a callback of a request may run, to a tenth of it.
    pub request: Duration,
    /// How long it may take to configure one root, likewise.
    pub configure: Duration,
    /// Bytes of a module's linear memory in one worker, all its roots together.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_secs(1), configure: Duration::from_secs(20), memory: 256 << 20 }
    }
}

/// Why a directory gives no filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Each broken file, with what is wrong with it.
    Broken(Vec<(PathBuf, String)>),
    /// The directory has no `.wasm` file.
    Empty(PathBuf),
    /// wasmtime cannot run on this machine.
    Engine(String),
    /// The directory cannot be read.
    Unreadable(PathBuf, String),
}

impl Filters {
    /// Compiles all filters of a directory and starts each once, to see that it would run.
    ///
    /// # Errors
    /// The directory has none, or some of them cannot run: every one is named.
    pub fn load(directory: &Path) -> Result<Self, LoadError> {
        Self::load_with(directory, Limits::default())
    }

    /// As [`Self::load`], with limits of one's own.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(directory: &Path, limits: Limits) -> Result<Self, LoadError> {
        let files = modules(directory)?;
        let engine = engine().map_err(|error| LoadError::Engine(cause(&error)))?;
        let mut linker = Linker::new(&engine);
        let linked = calls::link(&mut linker).and_then(|()| wasi::link(&mut linker));
        linked.map_err(|error| LoadError::Engine(cause(&error)))?;
        let ticker = Ticker::start(&engine, limits.tick());

        let (mut filters, mut broken) = (Vec::new(), Vec::new());
        for file in files {
            match Filter::load(&file, &linker, limits) {
                Ok(filter) => filters.push(Arc::new(filter)),
                Err((file, reason)) => broken.push((file, reason)),
            }
        }
        if !broken.is_empty() {
            return Err(LoadError::Broken(broken));
        }
        Ok(Self { filters: filters.into(), _ticker: Arc::new(ticker) })
    }

    /// In alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(|filter| &*filter.identity.name)
    }

    /// What a filter's `NAME.meta.json` says; `None` without one or without that filter.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.filters.iter().find(|filter| &*filter.identity.name == name)?.meta.as_ref()
    }

    /// All metrics of all filters, summed over the workers.
    #[must_use]
    pub fn metrics(&self) -> Vec<Reading> {
        let identities = self.filters.iter().map(|filter| &filter.identity);
        identities.flat_map(|identity| identity.metrics.read(&identity.name)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Filter>> {
        self.filters.iter()
    }
}

/// One compiled module.
pub(super) struct Filter {
    pub(super) identity: Arc<Identity>,
    pub(super) module: InstancePre<Host>,
    meta: Option<Value>,
}

/// What a filter has in common in all workers.
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
}

impl Filter {
    fn load(file: &Path, linker: &Linker<Host>, limits: Limits) -> Result<Self, (PathBuf, String)> {
        let broken = |reason: String| (file.to_owned(), reason);
        let name = file.file_stem().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| broken("a filter's name has to be UTF-8".to_owned()))?;
        let identity = Arc::new(Identity { name: name.into(), limits, metrics: Metrics::default() });

        let bytes = std::fs::read(file).map_err(|error| broken(error.to_string()))?;
        let module = Module::from_binary(linker.engine(), &bytes).map_err(|error| broken(cause(&error)))?;
        let unknown = unknown_imports(&module, linker, &identity);
        if !unknown.is_empty() {
            return Err(broken(format!("imports what this gateway does not know: {}", unknown.join(", "))));
        }
        let module = linker.instantiate_pre(&module).map_err(|error| broken(cause(&error)))?;
        let meta = meta(&file.with_extension("meta.json"))?;

        let filter = Self { identity, module, meta };
        Vm::start(&filter, &mut NoProperties).map_err(|error| broken(cause(&error)))?;
        Ok(filter)
    }
}

fn modules(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |error: std::io::Error| LoadError::Unreadable(directory.to_owned(), error.to_string());
    let entries = std::fs::read_dir(directory).map_err(unreadable)?;
    let mut files =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    if files.is_empty() { Err(LoadError::Empty(directory.to_owned())) } else { Ok(files) }
}

/// All of them; wasmtime would name the first.
fn unknown_imports(module: &Module, linker: &Linker<Host>, identity: &Arc<Identity>) -> Vec<String> {
    let mut store = Store::new(linker.engine(), Host::new(Arc::clone(identity)));
    let unknown =
        module.imports().filter(|import| linker.get(&mut store, import.module(), import.name()).is_err());
    unknown.map(|import| format!("{}.{}", import.module(), import.name())).collect()
}

fn meta(file: &Path) -> Result<Option<Value>, (PathBuf, String)> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err((file.to_owned(), error.to_string())),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| (file.to_owned(), error.to_string()))
}

fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // A trap is reported by its cause; the names that a backtrace would show are stripped from a release anyway.
    config.epoch_interruption(true).wasm_backtrace_max_frames(None);
    Engine::new(&config)
}

impl Limits {
    fn tick(&self) -> Duration {
        (self.request / 10).max(Duration::from_millis(1))
    }

    /// Ticks after which a callback of that much time is over.
    pub(super) fn ticks(&self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos().div_ceil(self.tick().as_nanos())).unwrap_or(u64::MAX)
    }

    pub(super) fn store(&self) -> StoreLimits {
        StoreLimitsBuilder::new()
            .memory_size(self.memory)
            .memories(1)
            .instances(1)
            .table_elements(1 << 20)
            .build()
    }
}

/// The clock by which filters are interrupted; it stops when dropped.
struct Ticker {
    _stop: Sender<()>,
}

impl Ticker {
    fn start(engine: &Engine, period: Duration) -> Self {
        let (stop, stopped) = channel();
        let engine = engine.weak();
        std::thread::spawn(move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout)
                && let Some(engine) = engine.upgrade()
            {
                engine.increment_epoch();
            }
        });
        Self { _stop: stop }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(files) => {
                for (index, (file, reason)) in files.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}: {reason}", file.display())?;
                }
                Ok(())
            }
            Self::Empty(directory) => {
                write!(f, "{}: no NAME.wasm in it; run `make filter`", directory.display())
            }
            Self::Engine(reason) => write!(f, "wasmtime cannot run here: {reason}"),
            Self::Unreadable(directory, reason) => {
                write!(f, "{}: {reason}; `make filter` builds the filters", directory.display())
            }
        }
    }
}

impl std::error::Error for LoadError {}
