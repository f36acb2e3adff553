//! What was tried, what is owed, what came: one line each, pleasant on a terminal, plain in a pipe.

use std::time::Instant;

use anstyle::{AnsiColor, Style};

/// A table that grows while the demonstration runs.
pub struct Table<P> {
    print: P,
    printed: anyhow::Result<()>,
    started: Instant,
    rows: usize,
    wrong: usize,
}

impl<P: Fn(&str) -> anyhow::Result<()>> Table<P> {
    /// Starts a table and the clock behind its last line.
    pub fn start(print: P) -> Self {
        Self { print, printed: Ok(()), started: Instant::now(), rows: 0, wrong: 0 }
    }

    /// Keeps the first failure, for the end.
    fn print(&mut self, text: &str) {
        if self.printed.is_ok() {
            self.printed = (self.print)(text);
        }
    }

    /// Heads the rows that follow.
    pub fn head(&mut self, title: &str) {
        let bold = Style::new().bold();
        self.print(&format!("\n{bold}{title}{bold:#}\n"));
    }

    /// Adds a row; it is as it should be when what came is what is owed.
    pub fn row(&mut self, what: &str, owed: &str, came: &str) {
        self.rows += 1;
        if came == owed {
            let good = AnsiColor::Green.on_default();
            self.print(&format!("  {good}✓{good:#} {what:<WIDTH$} {came}\n"));
        } else {
            self.wrong += 1;
            let bad = AnsiColor::Red.on_default().bold();
            self.print(&format!("  {bad}✗ {what:<WIDTH$} {came}{bad:#}\n    {:<WIDTH$} owed: {owed}\n", ""));
        }
    }

    /// Closes the table; true if all is as it should be.
    ///
    /// # Errors
    /// It could not be printed.
    pub fn close(mut self) -> anyhow::Result<bool> {
        let Self { rows, wrong, .. } = self;
        let seconds = self.started.elapsed().as_secs_f64();
        self.print(&match wrong {
            0 => format!("\n{rows} of {rows} as they should be, in {seconds:.1} s\n"),
            _ => format!("\n{wrong} of {rows} are NOT as they should be\n"),
        });
        self.printed.map(|()| wrong == 0)
    }
}

/// Wide enough for the longest thing that is tried.
const WIDTH: usize = 58;
