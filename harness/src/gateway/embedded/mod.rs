//! A gateway of our own that does what a real Kong 3.9 was seen to do, in one process.

mod acceptable;
mod body;
mod consumers_files;
mod core;
mod exchange;
mod failure;
mod filtering;
mod forward;
mod generation;
mod headers;
mod log;
mod metrics;
mod page;
mod properties;
mod server;
mod status;
pub mod upstream;
pub mod wasm;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use tokio::sync::watch;

use self::core::Core;
use self::page::Page;
use self::wasm::Filters;
use super::{Ability, Gateway, Running, Setup};

/// The driver of this gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedded {
    /// Whether the status address serves the page too. It shows what became of requests, and whoever gets to the
    /// address may look at it: so that has to be a loopback one.
    pub page: bool,
}

impl Gateway for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::EnvoysOwn => Some("the embedded gateway has none of Envoy's own filters"),
            Ability::KongsOwn => Some("the embedded gateway has none of Kong's own plugins and entities"),
            Ability::RestartsWorkers => Some("the embedded gateway is one process"),
            Ability::NamesConsumers | Ability::ReadsBodies => Some(
                "the filter decides before it sees a body, and there are no plugins to tell of consumers",
            ),
            Ability::SharesDatabase => Some("the embedded gateway has no database"),
            Ability::StreamsProtocols => Some("the embedded gateway takes neither upgrades nor HTTP/2"),
            Ability::AnswersEarly
            | Ability::BoundsChains
            | Ability::ChecksNames
            | Ability::DecidesLast
            | Ability::ForgetsPolicies
            | Ability::KeepsLastPolicy
            | Ability::ReadsConsumersFiles
            | Ability::RefusesCommonNames
            | Ability::RepeatsSafeRequests
            | Ability::RefusesEarlyPlaintext
            | Ability::ResumesSessions
            | Ability::RunsFilters
            | Ability::SeesRequests
            | Ability::TellsMetrics
            | Ability::TellsSlowHandshakes => None,
        }
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        if self.page && !setup.status.is_some_and(|address| address.ip().is_loopback()) {
            bail!("the page is for this machine alone: give it a loopback address, 127.0.0.1:8001");
        }
        let filters = Filters::load(&setup.filters)?;
        let page = self.page.then(Page::default);
        let core = Arc::new(Core::new(setup.config.clone(), filters, page)?);
        let proxy = bind(setup.proxy)?;
        let status = setup.status.map(bind).transpose()?;
        let mut running = RunningEmbedded {
            proxy: proxy.local_addr()?,
            status: status.as_ref().map(TcpListener::local_addr).transpose()?,
            core: core.clone(),
            stop: None,
            thread: None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(());
        running.stop = Some(stop);
        let serve = move || runtime.block_on(serve(core, proxy, status, stopped));
        running.thread = Some(std::thread::Builder::new().name("gateway".into()).spawn(serve)?);
        Ok(Box::new(running))
    }
}

/// Listens from here on: what connects before the first request is served waits for it.
fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(core: Arc<Core>, proxy: TcpListener, status: Option<TcpListener>, stop: watch::Receiver<()>) {
    let watching = tokio::spawn(watch_files(core.clone()));
    let status = async {
        if let Some(listener) = status.and_then(|status| tokio::net::TcpListener::from_std(status).ok()) {
            server::status(listener, core.clone(), stop.clone()).await;
        }
    };
    let proxy = async {
        if let Ok(listener) = tokio::net::TcpListener::from_std(proxy) {
            server::proxy(listener, core.clone(), stop.clone()).await;
        }
    };
    tokio::join!(proxy, status);
    watching.abort();
}

async fn watch_files(core: Arc<Core>) {
    loop {
        tokio::select! {
            // Another config may ask for shorter intervals.
            () = core.reloaded.notified() => continue,
            () = tokio::time::sleep(core.interval()) => (),
        }
        let core = core.clone();
        let _ = tokio::task::spawn_blocking(move || core.refresh()).await;
    }
}

struct RunningEmbedded {
    proxy: SocketAddr,
    status: Option<SocketAddr>,
    core: Arc<Core>,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running for RunningEmbedded {
    fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    fn status(&self) -> Option<SocketAddr> {
        self.status
    }

    fn reload(&self) -> anyhow::Result<()> {
        self.core.reload()
    }

    fn log(&self) -> String {
        self.core.log.text()
    }
}

impl Drop for RunningEmbedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
