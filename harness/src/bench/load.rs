//! Load: connections that are kept alive, each with one request under way, and every answer checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::awake::Thread;
use crate::http1::{Answers, PATIENCE};

/// What is asked, again and again, and what is owed. No `Debug`: it holds an API key.
#[derive(Clone)]
pub struct Target {
    pub name: String,
    pub address: SocketAddr,
    /// As it goes over the wire.
    pub request: Arc<[u8]>,
    /// The answer's whole body.
    pub owed: Arc<[u8]>,
}

/// Load on one target until it is dropped.
pub struct Load {
    target: String,
    answered: Arc<AtomicU64>,
    /// Closed when nothing of it is left.
    failure: Receiver<anyhow::Error>,
    stop: Option<watch::Sender<()>>,
}

impl Load {
    /// From a thread.
    pub fn start(target: &Target, connections: usize, thread: &Thread) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let (fail, failure) = channel();
        let (stop, mut stopped) = watch::channel(());
        let load =
            Self { target: target.name.clone(), answered: answered.clone(), failure, stop: Some(stop) };
        let target = target.clone();
        thread.tasks().spawn(async move {
            let mut all = JoinSet::new();
            for _ in 0..connections {
                all.spawn(keep_asking(target.clone(), answered.clone()));
            }
            tokio::select! {
                _ = stopped.changed() => all.shutdown().await,
                Some(ended) = all.join_next() => {
                    let error = ended.map_or_else(Into::into, |outcome| match outcome {
                        Ok(never) => match never {},
                        Err(error) => error,
                    });
                    let _ = fail.send(error);
                }
            }
        });
        load
    }

    /// How many answers there have been.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets it go on for a while, and longer where there is no answer yet.
    ///
    /// # Errors
    /// An answer is not what is owed, or there is none for long.
    pub fn go_on(&self, time: Duration) -> anyhow::Result<()> {
        let (started, before) = (Instant::now(), self.answered());
        loop {
            match self.failure.recv_timeout(time) {
                Err(RecvTimeoutError::Timeout) if self.answered() > before => return Ok(()),
                Err(RecvTimeoutError::Timeout) if started.elapsed() < PATIENCE => (),
                Err(RecvTimeoutError::Timeout) => bail!("{}: no answer", self.target),
                Ok(error) => return Err(error).with_context(|| self.target.clone()),
                Err(RecvTimeoutError::Disconnected) => bail!("{}: the load ended by itself", self.target),
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.stop.take());
        while self.failure.recv().is_ok() {}
    }
}

async fn keep_asking(target: Target, answered: Arc<AtomicU64>) -> anyhow::Result<std::convert::Infallible> {
    let mut answers = Answers::new();
    loop {
        let mut stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        // A gateway ends a connection after so many requests, and says so in the last answer.
        let mut goes_on = true;
        while goes_on {
            stream.write_all(&target.request).await?;
            let answer = answers.next(&mut stream).await?;
            let body = || String::from_utf8_lossy(answer.body);
            ensure!(answer.status == 200, "answered with {}: {}", answer.status, body());
            ensure!(*answer.body == *target.owed, "the upstream saw {:?}", body());
            goes_on = !answer.is_last;
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}
