//! What was tried, what is owed, what came: one line each, pleasant on a terminal, plain in a pipe.

use std::time::Instant;

use anstyle::{AnsiColor, Style};

/// A table that grows while the demonstration runs.
pub struct Table {
    started: Instant,
    rows: usize,
    wrong: usize,
}

impl Table {
    /// Starts a table and the clock behind its last line.
    pub fn start() -> Self {
        Self { started: Instant::now(), rows: 0, wrong: 0 }
    }

    /// Heads the rows that follow.
    pub fn head(&self, title: &str) {
        let bold = Style::new().bold();
        anstream::println!("\n{bold}{title}{bold:#}");
    }

    /// Adds a row; it is as it should be when what came is what is owed.
    pub fn row(&mut self, what: &str, owed: &str, came: &str) {
        self.rows += 1;
        if came == owed {
            let good = AnsiColor::Green.on_default();
            anstream::println!("  {good}✓{good:#} {what:<WIDTH$} {came}");
        } else {
            self.wrong += 1;
            let bad = AnsiColor::Red.on_default().bold();
            anstream::println!("  {bad}✗ {what:<WIDTH$} {came}{bad:#}");
            anstream::println!("    {:<WIDTH$} owed: {owed}", "");
        }
    }

    /// Closes the table; true if all is as it should be.
    pub fn close(self) -> bool {
        let Self { started, rows, wrong } = self;
        let seconds = started.elapsed().as_secs_f64();
        if wrong == 0 {
            anstream::println!("\n{rows} of {rows} as they should be, in {seconds:.1} s");
        } else {
            anstream::println!("\n{wrong} of {rows} are NOT as they should be");
        }
        wrong == 0
    }
}

/// Wide enough for the longest thing that is tried.
const WIDTH: usize = 58;
