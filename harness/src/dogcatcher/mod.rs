//! The mock Dogcatcher API: an upstream that demands mutual TLS, tells what it saw, and fails on demand.
//!
//! It runs on a runtime of its own, so that synchronous code can bring it up; dropping it takes it down.

mod api;
mod ledger;
mod options;
mod peer;
mod serve;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use ledger::Ledger;
use serve::{Shared, Transport};

pub use ledger::{Client, Connection, Counts, Seen};
pub use options::{ClientCertificate, Fault, Options, Sessions, Tls, Versions};

/// A Dogcatcher that serves.
pub struct Dogcatcher {
    http: Option<SocketAddr>,
    mtls: Option<SocketAddr>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl Dogcatcher {
    /// Brings one up; it serves when this returns.
    ///
    /// # Errors
    /// An address is taken, or the TLS material is unusable.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            router: api::router(&options.api_keys),
            ledger: Ledger::default(),
            fault: Mutex::default(),
            tls: Mutex::new(options.mtls.as_ref().map(|(_, tls)| tls::server_config(tls)).transpose()?),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("dogcatcher")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let mut serving = JoinSet::new();
        let mut listen = |address: Option<SocketAddr>, transport| -> anyhow::Result<_> {
            let Some(address) = address else { return Ok(None) };
            let listener = runtime
                .block_on(TcpListener::bind(address))
                .with_context(|| format!("cannot listen on {address}"))?;
            let address = listener.local_addr()?;
            let serve = serve::serve(listener, transport, shared.clone(), stopped.clone());
            serving.spawn_on(serve, runtime.handle());
            Ok(Some(address))
        };
        let http = listen(options.http, Transport::Plain)?;
        let mtls = listen(options.mtls.as_ref().map(|(address, _)| *address), Transport::Tls)?;
        Ok(Self { http, mtls, shared, stop, serving, runtime: Some(runtime) })
    }

    /// Where plain HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where TLS is served.
    pub fn mtls(&self) -> Option<SocketAddr> {
        self.mtls
    }

    /// Takes over other TLS material; connections that are open stay as they are.
    ///
    /// # Errors
    /// It is unusable; the one before stays.
    pub fn set_tls(&self, tls: &Tls) -> anyhow::Result<()> {
        let config = tls::server_config(tls)?;
        *self.shared.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
        Ok(())
    }

    /// Fails so from now on.
    pub fn set_fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How much came so far.
    pub fn counts(&self) -> Counts {
        self.shared.ledger.counts()
    }

    /// The latest requests, at most 1,000, the newest last.
    pub fn latest(&self) -> Vec<Seen> {
        self.shared.ledger.latest()
    }

    /// Finishes what is under way and ends; returns when it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Nobody listens any more when all listeners have ended by themselves.
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(async { while self.serving.join_next().await.is_some() {} });
            runtime.shutdown_background();
        }
    }
}

impl Drop for Dogcatcher {
    fn drop(&mut self) {
        self.end();
    }
}
