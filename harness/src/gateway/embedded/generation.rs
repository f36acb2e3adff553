//! One config in force, with all that is made of it: ready before the first request sees it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, anyhow, bail};

use super::consumers_files::ConsumersFiles;
use super::log::Log;
use super::page::{Named, Page};
use super::properties::OutsideProperties;
use super::upstream::Upstreams;
use super::wasm::{Filters, Root, Worker};
use kong_config::declarative::{self, Config, Filter};
use kong_config::router::Router;

/// A config, compiled. A request keeps the one that it began with.
pub(super) struct Generation {
    pub(super) config: Arc<Config>,
    pub(super) consumers_files: ConsumersFiles,
    pub(super) router: Router,
    pub(super) upstreams: Upstreams,
    /// What the config was read from, for whoever asks what it means; empty where there is no page.
    pub(super) text: Arc<str>,
    /// By worker, then by route.
    chains: Vec<Vec<Vec<Root>>>,
    turn: AtomicUsize,
    named: OnceLock<Named>,
}

impl Generation {
    /// Loads a config. Filters are configured in workers of its own, as `kong reload` does: those of the
    /// generation `before` serve on undisturbed.
    ///
    /// # Errors
    /// The config is refused: by its format, by a filter, or for a certificate in it.
    pub(super) fn load(
        file: &Path,
        filters: &Filters,
        log: &Log,
        before: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let names = filters.names().map(str::to_owned).collect();
        let text = declarative::text(file)?;
        let config = declarative::parse(&text, &file.display().to_string(), &names)?;
        let consumers_files = ConsumersFiles::read(&config, before.map(|before| &before.consumers_files))?;
        Self::compile(Arc::new(config), text.into(), consumers_files, filters, log, before)
            .with_context(|| file.display().to_string())
    }

    /// Without the text where nobody will ask for it: it may be large.
    pub(super) fn for_page(self, page: Option<&Page>) -> Self {
        match page {
            Some(_) => self,
            None => Self { text: Arc::default(), ..self },
        }
    }

    /// The same config with other consumers.
    ///
    /// # Errors
    /// A filter refuses them.
    pub(super) fn with_consumers(
        &self,
        consumers_files: ConsumersFiles,
        filters: &Filters,
        log: &Log,
    ) -> anyhow::Result<Self> {
        Self::compile(self.config.clone(), self.text.clone(), consumers_files, filters, log, Some(self))
    }

    fn compile(
        config: Arc<Config>,
        text: Arc<str>,
        consumers_files: ConsumersFiles,
        filters: &Filters,
        log: &Log,
        before: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let upstreams = Upstreams::compile(&config, before.map(|before| &before.upstreams))
            .map_err(|problems| anyhow!(problems.join("\n")))?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
        let chains = (0..workers)
            .map(|_| chains(&config, &consumers_files, filters, log))
            .collect::<anyhow::Result<_>>()?;
        let (router, turn) = (Router::new(&config), AtomicUsize::new(0));
        Ok(Self { config, text, consumers_files, router, upstreams, chains, turn, named: OnceLock::new() })
    }

    /// Which client certificates the policies of each route name.
    pub(super) fn named(&self) -> &Named {
        self.named.get_or_init(|| Named::by(&self.config))
    }

    /// The filters for a request on a route: those of its service, then its own. Workers take turns.
    pub(super) fn chain(&self, route: usize) -> &[Root] {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.chains.len().max(1);
        self.chains.get(turn).and_then(|chains| chains.get(route)).map_or(&[], Vec::as_slice)
    }
}

/// All chains, in a worker of their own.
fn chains(
    config: &Config,
    files: &ConsumersFiles,
    filters: &Filters,
    log: &Log,
) -> anyhow::Result<Vec<Vec<Root>>> {
    let worker = Worker::new(filters, OutsideProperties(log.clone()));
    let mut problems = Vec::new();
    let mut configure = |filters: &[Filter]| -> Vec<Root> {
        let roots = filters.iter().filter_map(|filter| {
            let refused = |error| problems.push(format!("{}: {error}", filter.place));
            worker.configure(&filter.name, files.put_into(filter)).map_err(refused).ok()
        });
        roots.collect()
    };
    let services: Vec<_> = config.services.iter().map(|service| configure(&service.filters)).collect();
    let routes = config.routes.iter().map(|route| {
        let service = services.get(route.service).into_iter().flatten().cloned();
        service.chain(configure(&route.filters)).collect()
    });
    let routes = routes.collect();
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    Ok(routes)
}

/// Each has the filters' memory once; more than a few gain nothing here.
const MOST_WORKERS: usize = 4;
