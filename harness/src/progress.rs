//! What is going on, for somebody who waits at a terminal: one line on stderr, which is gone when there is a result.
//!
//! As with a log, whoever works says what it is at, and the command line alone decides whether anybody hears it. In a pipe,
//! in a file and in tests nobody does.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Lets the line be shown from now on, where stderr is a terminal that can take one back.
pub fn show() {
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    IS_SHOWN.store(!is_dumb && std::io::stderr().is_terminal(), Ordering::Relaxed);
}

/// Says what is going on now.
pub fn at(what: impl Into<String>) {
    if IS_SHOWN.load(Ordering::Relaxed) {
        let line = LINE.get_or_init(line);
        line.set_message(what.into());
        line.enable_steady_tick(TICK);
    }
}

/// Takes the line away.
pub fn over() {
    if let Some(line) = LINE.get() {
        line.disable_steady_tick();
        line.finish_and_clear();
    }
}

/// Writes something else to the terminal meanwhile.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    match LINE.get() {
        Some(line) => line.suspend(write),
        None => write(),
    }
}

fn line() -> ProgressBar {
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // A constant; were it wrong, it would be so in every test.
    match ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        Ok(style) => line.with_style(style),
        Err(_) => line,
    }
}

static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Where nobody has said anything there is none to take away.
static LINE: OnceLock<ProgressBar> = OnceLock::new();

const TICK: Duration = Duration::from_millis(100);
