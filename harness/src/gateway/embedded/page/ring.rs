//! The last of what happened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Keeps the last [`KEPT`], each with its number.
pub(in super::super) struct Ring<T>(Mutex<Kept<T>>);

struct Kept<T> {
    last: VecDeque<T>,
    ever: u64,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        // All of the room at once: no request pays for more of it.
        Self(Mutex::new(Kept { last: VecDeque::with_capacity(KEPT), ever: 0 }))
    }
}

impl<T> Ring<T> {
    pub(in super::super) fn keep(&self, new: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if kept.last.len() == KEPT { kept.last.pop_front() } else { None };
        kept.last.push_back(new);
        kept.ever += 1;
        drop(kept);
        // Its memory is given back while nobody waits.
        drop(oldest);
    }

    /// The newest first, with their numbers, counted from 1.
    pub(super) fn read<R>(&self, tell: impl Fn(u64, &T) -> R) -> Vec<R> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (1..=kept.ever).rev().zip(kept.last.iter().rev()).map(|(number, one)| tell(number, one)).collect()
    }
}

/// As many as one looks through.
pub(super) const KEPT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_are_kept_and_the_newest_comes_first() {
        let ring = Ring::default();
        (1..=KEPT + 7).for_each(|n| ring.keep(n));
        let kept = ring.read(|number, n| (number, *n));
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.first(), Some(&(107, 107)));
        assert_eq!(kept.last(), Some(&(8, 8)));
    }
}
