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
        let mut unanswered = None;
        while unanswered.is_some() || self.is_to_go_on() {
            let began = self.history.now();
            unanswered = match self.keep_asking_on_one(unanswered).await {
                Ok(unanswered) => unanswered,
                Err(error) => {
                    self.failed(began, &error);
                    // Where nothing listens there is no use in asking at once again.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    None
                }
            };
        }
    }

    /// Begins with what another connection did not answer. What this one did not answer, since the gateway had ended it
    /// when the request came, is to be sent once more: servers end idle connections when they like, and clients repeat
    /// what may be repeated (RFC 9112, section 9.3.1).
    async fn keep_asking_on_one<'s>(
        &'s self,
        mut unanswered: Option<&'s Asking>,
    ) -> anyhow::Result<Option<&'s Asking>> {
        let mut stream = TcpStream::connect(self.proxy).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let (mut answers, mut was_idle) = (Answers::new(), false);
        while let Some(asking) = unanswered.take().or_else(|| self.next()) {
            let began = self.history.now();
            answers.forget();
            let answer = timeout(PATIENCE, async {
                stream.write_all(&asking.request).await?;
                answers.next(&mut stream).await
            });
            match answer.await {
                Ok(Ok(answer)) => {
                    self.judge(asking, began, answer.status, answer.body);
                    if answer.is_last {
                        return Ok(None);
                    }
                    was_idle = true;
                }
                Ok(Err(error)) => {
                    if was_idle && answers.is_empty() {
                        self.tally.sent_again();
                        return Ok(Some(asking));
                    }
                    self.failed(began, &error);
                    return Ok(None);
                }
                Err(_) => {
                    self.failed(began, &anyhow::anyhow!("no answer within {PATIENCE:?}"));
                    return Ok(None);
                }
            }
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::gateway::embedded::Embedded;

    #[test]
    fn what_a_kept_connection_did_not_answer_is_sent_once_more_and_nothing_else_is() {
        let stack = crate::soak::stack(&Embedded::default()).unwrap();
        let history = History::of(&stack).unwrap();
        let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
        let asker = Asker {
            proxy: gateway.local_addr().unwrap(),
            everybody: everybody(stack.keys()).unwrap(),
            history: &history,
            begun: AtomicU64::new(0),
            requests: 2,
            tally: Arc::default(),
            stop: Arc::default(),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Answers once and ends; then ends without any answer.
                let (mut first, _) = gateway.accept().unwrap();
                let _ = first.read(&mut [0; 4096]).unwrap();
                first.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
                let _ = first.read(&mut [0; 4096]).unwrap();
                drop(first);
                let (mut second, _) = gateway.accept().unwrap();
                let _ = second.read(&mut [0; 4096]).unwrap();
            });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(asker.keep_asking());
        });
        let tally = asker.tally.get();
        assert_eq!((tally.answers(), tally.sent_again, tally.lost), (2, 1, 1), "{tally:?}");
    }
}
