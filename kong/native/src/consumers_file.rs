//! A consumers file, read again when it changes: in a thread of its own, so that no request waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consumers_file::{Content, Stamp};

use crate::consumers::{self, Consumers};
use crate::{Text, thread};

/// A consumers file. Opaque outside.
pub struct ConsumersFile {
    shared: Arc<Shared>,
    loaded: Option<Consumers>,
    error: String,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    finished: Condvar,
}

/// At most one thread reads the file at a time; the others wait for its outcome to be taken.
enum State {
    Idle(Box<Known>),
    Reading,
    Finished(Box<Known>, Outcome),
}

/// What is known of the file.
#[derive(Default)]
struct Known {
    /// Of the newest content, valid or not.
    stamp: Option<Stamp>,
    /// Of the newest content, with what is wrong with it.
    newest: Option<([u8; 32], Result<(), String>)>,
    /// Of the content that was loaded last.
    loaded: Option<[u8; 32]>,
}

/// What reading has led to.
enum Outcome {
    /// The file is as it was.
    Unchanged,
    Loaded(Consumers),
    /// The content that was loaded last is there again.
    Restored,
    Failed(String),
}

/// As [`mtls_policy_consumers_file_poll`](crate::consumers_exports::mtls_policy_consumers_file_poll) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    Reading = 0,
    Unchanged = 1,
    Loaded = 2,
    Restored = 3,
    Failed = 4,
}

impl ConsumersFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        let state = Mutex::new(State::Idle(Box::default()));
        let shared = Shared { path, state, finished: Condvar::new() };
        Self { shared: Arc::new(shared), loaded: None, error: String::new() }
    }

    /// Starts reading, unless a thread reads already or its outcome was not polled yet.
    pub(crate) fn start(&self) {
        let mut state = self.shared.lock();
        let known = match std::mem::replace(&mut *state, State::Reading) {
            State::Idle(known) => known,
            other => {
                *state = other;
                return;
            }
        };
        drop(state);
        // Shared with the thread, so that it is not lost when there is none.
        let known = Arc::new(Mutex::new(Some(known)));
        let (shared, of_thread) = (self.shared.clone(), known.clone());
        let take = |known: &Mutex<Option<Box<Known>>>| {
            known.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
        };
        if let Err(error) = thread::spawn(move || shared.read(take(&of_thread))) {
            let outcome = Outcome::Failed(format!("cannot start a thread to read the file: {error}"));
            self.shared.finish(take(&known), outcome);
        }
    }

    /// Waits until no thread reads.
    pub(crate) fn wait(&self, at_most: Duration) {
        let state = self.shared.lock();
        let is_reading = |state: &mut State| matches!(state, State::Reading);
        drop(self.shared.finished.wait_timeout_while(state, at_most, is_reading));
    }

    /// Takes the outcome of reading.
    pub(crate) fn poll(&mut self) -> Poll {
        let mut state = self.shared.lock();
        let outcome = match std::mem::replace(&mut *state, State::Reading) {
            State::Reading => return Poll::Reading,
            State::Idle(known) => {
                *state = State::Idle(known);
                return Poll::Unchanged;
            }
            State::Finished(known, outcome) => {
                *state = State::Idle(known);
                outcome
            }
        };
        drop(state);
        match outcome {
            Outcome::Unchanged => Poll::Unchanged,
            Outcome::Restored => Poll::Restored,
            Outcome::Loaded(consumers) => {
                self.loaded = Some(consumers);
                Poll::Loaded
            }
            Outcome::Failed(error) => {
                self.error = error;
                Poll::Failed
            }
        }
    }

    /// The consumers that the last poll has found loaded; once.
    pub(crate) fn take(&mut self) -> Option<Consumers> {
        self.loaded.take()
    }

    pub(crate) fn error(&self) -> Text {
        Text::of(self.error.as_bytes())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, known: Box<Known>, outcome: Outcome) {
        *self.lock() = State::Finished(known, outcome);
        self.finished.notify_all();
    }

    /// In a thread of its own. Whatever happens, there is an outcome.
    fn read(&self, mut known: Box<Known>) {
        let read = catch_unwind(AssertUnwindSafe(|| known.read(&self.path)));
        self.finish(known, read.unwrap_or_else(|_| Outcome::Failed(PANICKED.to_owned())));
        consumers::reclaim_here();
    }
}

impl Known {
    fn read(&mut self, path: &std::path::Path) -> Outcome {
        if let Some(stamp) = &self.stamp
            && Stamp::now(path).is_some_and(|now| stamp.is_current(&now))
        {
            return Outcome::Unchanged;
        }
        self.stamp = None;
        let content = match Content::load(path) {
            Ok(content) => content,
            Err(problem) => {
                self.newest = None;
                return Outcome::Failed(problem.to_string());
            }
        };
        self.stamp = Some(content.stamp());
        let digest = content.digest();
        match &self.newest {
            Some((newest, Ok(()))) if *newest == digest => return Outcome::Unchanged,
            Some((newest, Err(error))) if *newest == digest => return Outcome::Failed(error.clone()),
            _ => {}
        }
        if self.loaded == Some(digest) {
            self.newest = Some((digest, Ok(())));
            return Outcome::Restored;
        }
        match content.consumers() {
            Ok(consumers) => {
                self.newest = Some((digest, Ok(())));
                self.loaded = Some(digest);
                Outcome::Loaded(Consumers::new(consumers))
            }
            Err(problems) => {
                let error = problems.summary(MOST_SHOWN);
                self.newest = Some((digest, Err(error.clone())));
                Outcome::Failed(error)
            }
        }
    }
}

/// nginx cuts a line of its log at 2,048 bytes.
const MOST_SHOWN: usize = 10;

const PANICKED: &str = "the library failed while it read this file; its message is in the error log";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const ANN: &str = "consumers:\n- username: ann\n";
    const BOB: &str = "consumers:\n- username: bob\n";

    /// Starts reading and waits for the outcome.
    fn look(file: &mut ConsumersFile) -> Poll {
        file.start();
        file.wait(Duration::from_secs(60));
        file.poll()
    }

    fn error(file: &ConsumersFile) -> &str {
        &file.error
    }

    fn in_directory(test: impl FnOnce(&Path, &mut ConsumersFile)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("consumers.yml");
        test(&path, &mut ConsumersFile::new(path.clone()));
    }

    #[test]
    fn a_file_is_loaded_once_for_each_change() {
        in_directory(|path, file| {
            assert_eq!(file.poll(), Poll::Unchanged, "nothing was started");
            fs::write(path, ANN).unwrap();
            assert_eq!(look(file), Poll::Loaded);
            assert_eq!(file.take().map(|consumers| consumers.keys()), Some(0));
            assert!(file.take().is_none());
            assert_eq!(look(file), Poll::Unchanged);
            fs::write(path, BOB).unwrap();
            assert_eq!(look(file), Poll::Loaded);
            // Touched, with the same content.
            fs::remove_file(path).unwrap();
            fs::write(path, BOB).unwrap();
            assert_eq!(look(file), Poll::Unchanged);
        });
    }

    #[test]
    fn an_invalid_file_fails_until_valid_content_is_back() {
        in_directory(|path, file| {
            fs::write(path, ANN).unwrap();
            assert_eq!(look(file), Poll::Loaded);
            for _ in 0..2 {
                fs::write(path, "consumers: {}").unwrap();
                assert_eq!(look(file), Poll::Failed);
                assert_eq!(error(file), "line 1, column 12: consumers: expected a list, got a map");
                assert!(file.take().is_some() || file.loaded.is_none());
                assert_eq!(look(file), Poll::Failed, "the same content");
                fs::write(path, ANN).unwrap();
                assert_eq!(look(file), Poll::Restored);
                assert_eq!(look(file), Poll::Unchanged);
                fs::remove_file(path).unwrap();
                assert_eq!(look(file), Poll::Failed);
                assert!(error(file).contains("No such file"), "{}", error(file));
                fs::write(path, ANN).unwrap();
                assert_eq!(look(file), Poll::Restored);
            }
        });
    }

    #[test]
    fn only_one_thread_reads_at_a_time() {
        in_directory(|path, file| {
            fs::write(path, ANN).unwrap();
            file.start();
            file.start();
            file.wait(Duration::from_secs(60));
            file.start();
            assert_eq!(file.poll(), Poll::Loaded, "the outcome was not lost");
        });
    }

    #[test]
    fn waiting_ends_at_its_limit() {
        let file = ConsumersFile::new("/x".into());
        *file.shared.lock() = State::Reading;
        file.wait(Duration::from_millis(10));
        assert!(matches!(*file.shared.lock(), State::Reading));
    }

    #[test]
    fn a_panic_while_reading_is_an_error() {
        let file = ConsumersFile::new("/x".into());
        let read = catch_unwind(|| -> Outcome { panic!("on purpose") });
        file.shared.finish(Box::default(), read.unwrap_or_else(|_| Outcome::Failed(PANICKED.to_owned())));
        let mut file = file;
        assert_eq!(file.poll(), Poll::Failed);
        assert!(error(&file).contains("failed"));
    }

    #[test]
    fn a_handle_may_be_freed_while_its_thread_reads() {
        in_directory(|path, _| {
            fs::write(path, ANN).unwrap();
            for _ in 0..100 {
                ConsumersFile::new(path.to_owned()).start();
            }
        });
    }
}
