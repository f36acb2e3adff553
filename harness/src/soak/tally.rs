//! What the answers were.

use std::sync::{Mutex, PoisonError};

/// Counts of answers, and the first of those that are wrong.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The upstream saw whom it should have seen.
    pub allowed: u64,
    /// Refused by the gateway, as it should have been.
    pub refused: u64,
    /// Failed while the upstream, or a worker, failed on purpose.
    pub failed: u64,
    /// Failed without a reason.
    pub lost: u64,
    /// Passed, and should have been refused.
    pub let_in: u64,
    /// Passed as somebody else, or with a certificate that had been replaced for long.
    pub mistaken: u64,
    /// Refused, and should have passed.
    pub turned_away: u64,
    /// Sent once more, and no answers: the gateway had ended a kept connection when the request came on it.
    pub sent_again: u64,
    /// Of each of the four that are wrong, the first few in words.
    pub examples: Vec<String>,
}

/// What one answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Refused,
    Failed,
    Lost,
    LetIn,
    Mistaken,
    TurnedAway,
}

impl Tally {
    pub fn answers(&self) -> u64 {
        let Self {
            allowed,
            refused,
            failed,
            lost,
            let_in,
            mistaken,
            turned_away,
            sent_again: _,
            examples: _,
        } = self;
        allowed + refused + failed + lost + let_in + mistaken + turned_away
    }

    fn add(&mut self, verdict: Verdict, words: impl FnOnce() -> String) {
        let count = match verdict {
            Verdict::Allowed => &mut self.allowed,
            Verdict::Refused => &mut self.refused,
            Verdict::Failed => &mut self.failed,
            Verdict::Lost => &mut self.lost,
            Verdict::LetIn => &mut self.let_in,
            Verdict::Mistaken => &mut self.mistaken,
            Verdict::TurnedAway => &mut self.turned_away,
        };
        *count += 1;
        if !matches!(verdict, Verdict::Allowed | Verdict::Refused | Verdict::Failed) && *count <= SHOWN {
            self.examples.push(format!("{verdict:?}: {}", words()));
        }
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        let kinds = [
            (self.let_in, "requests passed that were to be refused"),
            (self.mistaken, "requests passed as somebody else"),
            (self.turned_away, "requests were refused that were to pass"),
            (self.lost, "requests failed without a reason"),
        ];
        let told = kinds.into_iter().filter(|(count, _)| *count > 0);
        let mut complaints: Vec<_> = told.map(|(count, what)| format!("{count} {what}")).collect();
        if self.allowed == 0 || self.refused == 0 {
            complaints.push("nothing was asked".to_owned());
        }
        complaints.extend(self.examples.iter().cloned());
        complaints
    }
}

/// A tally that many count in.
#[derive(Default)]
pub(super) struct Shared(Mutex<Tally>);

impl Shared {
    pub(super) fn add(&self, verdict: Verdict, words: impl FnOnce() -> String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(verdict, words);
    }

    pub(super) fn sent_again(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sent_again += 1;
    }

    pub(super) fn answers(&self) -> u64 {
        self.get().answers()
    }

    pub(super) fn get(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const SHOWN: u64 = 5;
