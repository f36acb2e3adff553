//! What one gateway has to say, kept for whoever asks and passed on to the process's log.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use log::Level;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last lines that one gateway and its filters have logged.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    pub(super) fn line(&self, level: Level, text: impl Display) {
        // Part of a text may come from a client; a line of its making must not look like one of ours.
        let text = text.to_string().replace(|c: char| c.is_control(), " ");
        log::log!(target: "gateway", level, "{text}");
        let now = OffsetDateTime::now_utc().truncate_to_millisecond().format(&Rfc3339).unwrap_or_default();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(format!("{now} {} {text}\n", level.as_str().to_ascii_lowercase()));
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect()
    }
}

const KEPT: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_one_line() {
        let log = Log::default();
        log.line(Level::Warn, "wrong key\n2026-01-01T00:00:00Z info all is well");
        assert_eq!(log.text().lines().count(), 1);
        assert!(
            log.text().ends_with(" warn wrong key 2026-01-01T00:00:00Z info all is well\n"),
            "{}",
            log.text()
        );
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = Log::default();
        (0..KEPT + 5).for_each(|n| log.line(Level::Debug, n));
        assert_eq!(log.text().lines().count(), KEPT);
        assert!(log.text().lines().next().unwrap().ends_with(" 5"));
    }
}
