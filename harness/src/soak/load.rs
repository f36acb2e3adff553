//! Requests, and what became of each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::Scope;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Plan;
use super::history::{History, Moment};
use super::people::{Asking, Owed, everybody};
use super::tally::{Shared, Tally, Verdict};
use crate::http1::Answers;
use crate::stack::Stack;

/// Load, until it has got all its answers.
pub(super) struct Load {
    tally: Arc<Shared>,
    stop: Arc<AtomicBool>,
    /// Closed when nothing of it is left.
    finished: Receiver<()>,
}

impl Load {
    /// # Errors
    /// There is no randomness for keys, or no runtime.
    pub(super) fn start<'scope>(
        stack: &Stack,
        history: &'scope History,
        plan: Plan,
        scope: &'scope Scope<'scope, '_>,
    ) -> anyhow::Result<Self> {
        let (tally, stop) = (Arc::new(Shared::default()), Arc::new(AtomicBool::new(false)));
        let (finish, finished) = channel();
        let asker = Asker {
            proxy: stack.gateway().proxy(),
            everybody: everybody(stack.keys())?,
            history,
            begun: AtomicU64::new(0),
            requests: plan.requests,
            tally: tally.clone(),
            stop: stop.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        scope.spawn(move || {
            runtime.block_on(join_all((0..plan.connections).map(|_| asker.keep_asking())));
            drop(finish);
        });
        Ok(Self { tally, stop, finished })
    }

    /// Whether it is finished within a time.
    pub(super) fn is_finished_within(&self, time: Duration) -> bool {
        matches!(self.finished.recv_timeout(time), Err(RecvTimeoutError::Disconnected))
    }

    pub(super) fn answers(&self) -> u64 {
        self.tally.answers()
    }

    /// Ends it, and says what became of all requests.
    pub(super) fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        while self.finished.recv().is_ok() {}
        self.tally.get()
    }
}

struct Asker<'h> {
    proxy: SocketAddr,
    everybody: Vec<Asking>,
    history: &'h History,
    begun: AtomicU64,
    requests: u64,
    tally: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

/// As far as it is looked at.
#[derive(Deserialize)]
struct Whoami {
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Client {
    common_name: Option<String>,
    fingerprint: String,
}

impl Asker<'_> {
    /// On one connection after the other.
    async fn keep_asking(&self) {
        while self.is_to_go_on() {
            let began = self.history.now();
            if let Err(error) = self.keep_asking_on_one().await {
                self.failed(began, &error);
                // Where nothing listens there is no use in asking at once again.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn keep_asking_on_one(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.proxy).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let mut answers = Answers::new();
        while let Some(asking) = self.next() {
            let began = self.history.now();
            let answer = timeout(PATIENCE, async {
                stream.write_all(&asking.request).await?;
                answers.next(&mut stream).await
            });
            match answer.await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {PATIENCE:?}"))) {
                Ok(answer) => {
                    self.judge(asking, began, answer.status, answer.body);
                    if answer.is_last {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.failed(began, &error);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_to_go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && self.begun.load(Ordering::Relaxed) < self.requests
    }

    fn next(&self) -> Option<&Asking> {
        if !self.is_to_go_on() {
            return None;
        }
        let turn = usize::try_from(self.begun.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        // In turn, and each time in another order.
        Some(&self.everybody[(turn + turn / self.everybody.len() * 3) % self.everybody.len()])
    }

    fn judge(&self, asking: &Asking, began: Moment, status: u16, body: &[u8]) {
        let owed = match self.history.policy_since(began) {
            Some(policy) => &asking.owed[policy..=policy],
            None => &asking.owed[..],
        };
        let verdict = match status {
            200 => self.passed(owed, began, body),
            401 | 403 if owed.contains(&Owed::Refused(status)) => Verdict::Refused,
            401 | 403 => Verdict::TurnedAway,
            _ if self.history.was_troubled_since(began) => Verdict::Failed,
            _ => Verdict::Lost,
        };
        self.tally.add(verdict, || {
            format!("owed was {owed:?}, the answer {status}: {}", String::from_utf8_lossy(body))
        });
    }

    fn passed(&self, owed: &[Owed], began: Moment, body: &[u8]) -> Verdict {
        let client = serde_json::from_slice::<Whoami>(body).ok().and_then(|whoami| whoami.client);
        let names = owed.iter().filter_map(|owed| match owed {
            Owed::As(name) => Some(*name),
            Owed::Refused(_) => None,
        });
        let Some(client) = client.filter(|_| names.clone().next().is_some()) else { return Verdict::LetIn };
        let is_one = |name: &str| {
            client.common_name.as_deref() == Some(name)
                && self.history.is_current(name, &client.fingerprint, began)
        };
        if names.into_iter().any(is_one) { Verdict::Allowed } else { Verdict::Mistaken }
    }

    fn failed(&self, began: Moment, error: &anyhow::Error) {
        let troubled = self.history.was_troubled_since(began);
        self.tally.add(if troubled { Verdict::Failed } else { Verdict::Lost }, || format!("{error:#}"));
    }
}

/// Longer than any timeout of the route.
const PATIENCE: Duration = Duration::from_secs(20);
