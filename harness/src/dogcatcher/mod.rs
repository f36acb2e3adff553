//! The mock Dogcatcher API: an upstream that demands mutual TLS, tells what it saw, and fails on demand.
//!
//! It runs on a runtime of its own, so that synchronous code can bring it up; dropping it takes it down.

mod admission;
mod answer;
mod api;
mod fault;
mod ledger;
mod line;
mod options;
mod peer;
mod serve;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use admission::LetIn;
use ledger::Ledger;
use serve::{Door, Place, Shared, Transport};

pub use fault::Fault;
pub use ledger::{Client, Connection, Counts, Seen};
pub use options::{ClientCertificate, Options, Sessions, Tls, Versions};

/// A Dogcatcher that serves.
pub struct Dogcatcher {
    http: Option<SocketAddr>,
    mtls: Option<SocketAddr>,
    shared: Arc<Shared>,
    doors: Vec<Arc<Door>>,
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
            fault: watch::Sender::new(options.fault),
            let_in: LetIn::default(),
            tls: Mutex::default(),
        });
        if let Some((_, tls)) = &options.mtls {
            shared.offer(tls)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("dogcatcher")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (mut serving, mut doors) = (JoinSet::new(), Vec::new());
        let mut listen = |address: Option<SocketAddr>, transport| -> anyhow::Result<_> {
            let Some(address) = address else { return Ok(None) };
            let within = runtime.enter();
            let place = Place::take(address).with_context(|| format!("cannot listen on {address}"))?;
            drop(within);
            let address = place.address();
            doors.push(place.door());
            let serve = serve::serve(place, transport, shared.clone(), stopped.clone());
            serving.spawn_on(serve, runtime.handle());
            Ok(Some(address))
        };
        let http = listen(options.http, Transport::Plain)?;
        let mtls = listen(options.mtls.as_ref().map(|(address, _)| *address), Transport::Tls)?;
        Ok(Self { http, mtls, shared, doors, stop, serving, runtime: Some(runtime) })
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
        self.shared.offer(tls)
    }

    /// Fails so from now on. Whether anybody listens is as the fault has it when this returns.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
        self.doors.iter().for_each(|door| door.wait(fault != Fault::Down));
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
