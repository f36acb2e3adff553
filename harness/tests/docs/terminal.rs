//! A reader's terminal: a directory of its own, in which the blocks of a page are run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::page::root;

/// A command, and what the page shows of it.
pub struct Step {
    pub command: String,
    pub shown: Option<String>,
}

/// What it did.
pub struct Done {
    /// -1: it did not end, or was not come to.
    pub code: i32,
    /// Both streams, as a terminal shows them.
    pub said: String,
}

pub struct Terminal {
    directory: tempfile::TempDir,
    /// Of what runs: not among a reader's files.
    kept: tempfile::TempDir,
    /// The page's ports, and those that are free here.
    ports: BTreeMap<String, String>,
    /// Process groups, one for each block.
    groups: Vec<u32>,
}

impl Terminal {
    pub fn new() -> Self {
        let new = || tempfile::tempdir().unwrap();
        Self { directory: new(), kept: new(), ports: BTreeMap::new(), groups: Vec::new() }
    }

    /// A sample of the page, as the reader saves it.
    pub fn write(&mut self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.here(text)).unwrap();
    }

    /// A block, in one shell. What it leaves running is ended with this terminal.
    pub fn run(&mut self, steps: &[Step]) -> Vec<Done> {
        let number = self.groups.len();
        let directory = self.kept.path().to_owned();
        let kept = |step: usize, what: &str| directory.join(format!("{number}.{step}.{what}"));
        let mut script = String::new();
        for (step, Step { command, .. }) in steps.iter().enumerate() {
            let (command, said, code) = (self.here(command), kept(step, "said"), kept(step, "code"));
            let _ =
                writeln!(script, "{{ {command}\n}} >{} 2>&1; echo $? >{}", said.display(), code.display());
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(self.directory.path()).env("PATH", path());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = shell.spawn().unwrap();
        self.groups.push(shell.id());
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || ended.send(shell.wait().unwrap()));
        // Who hangs has no code.
        let _ = end.recv_timeout(LONGEST);
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let done = |step| Done {
            code: read(kept(step, "code")).trim().parse().unwrap_or(-1),
            said: self.there(&read(kept(step, "said"))),
        };
        (0..steps.len()).map(done).collect()
    }

    /// The page's ports may be taken by others on this machine, so they are other ones here.
    fn here(&mut self, text: &str) -> String {
        let port = |captures: &regex::Captures<'_>| {
            let here = self.ports.entry(captures[2].to_owned()).or_insert_with(free_port);
            format!("{}{here}", &captures[1])
        };
        ports().replace_all(text, port).into_owned()
    }

    fn there(&self, text: &str) -> String {
        let there =
            |here: &str| self.ports.iter().find(|(_, port)| *port == here).map(|(port, _)| port.clone());
        let port = |captures: &regex::Captures<'_>| {
            format!("{}{}", &captures[1], there(&captures[2]).unwrap_or_else(|| captures[2].to_owned()))
        };
        ports().replace_all(text, port).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for group in self.groups.iter().filter_map(|id| Pid::from_raw(i32::try_from(*id).ok()?)) {
            // Mostly nothing is left of it.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

impl Step {
    /// Of `sh`: commands, one a line; of `console`: with what they say. A `\` at its end continues a line.
    pub fn all(language: &str, text: &str) -> Vec<Self> {
        let (mut steps, mut goes_on) = (Vec::<Self>::new(), false);
        for line in text.lines() {
            let command = match language {
                "console" => line.strip_prefix("$ "),
                _ => (!line.is_empty() && !line.starts_with('#')).then_some(line),
            };
            match (steps.last_mut(), command) {
                (Some(last), _) if goes_on => last.command += &format!("\n{line}"),
                (_, Some(command)) => {
                    let shown = (language == "console").then(String::new);
                    steps.push(Self { command: command.to_owned(), shown });
                }
                (Some(Self { shown: Some(shown), .. }), None) => *shown += &format!("{line}\n"),
                _ => {}
            }
            goes_on = (goes_on || command.is_some()) && line.ends_with('\\');
        }
        steps
    }
}

/// Whether what was said is what is shown, where `…` stands for anything, and alone on a line for lines.
pub fn is_shown(shown: &str, said: &str) -> bool {
    let mut pattern = String::from("^");
    for line in shown.trim_end().lines() {
        match line.trim() {
            "…" => pattern.push_str("(?:.*\n)*?"),
            _ => {
                let parts: Vec<_> = line.trim_end().split('…').map(regex::escape).collect();
                pattern += &(parts.join(".*?") + "\n");
            }
        }
    }
    let said: String = said.trim_end().lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    Regex::new(&(pattern + "$")).unwrap().is_match(&said)
}

fn ports() -> Regex {
    Regex::new(r"((?:127\.0\.0\.1|localhost):|--port )(\d{4,5})").unwrap()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// With the harness first, then KONG_BIN's Kong, all else, and the Envoy of `make envoy`.
fn path() -> String {
    let harness = Path::new(env!("CARGO_BIN_EXE_harness")).parent().map(Path::to_owned);
    let kong = std::env::var_os("KONG_BIN").and_then(|kong| Some(Path::new(&kong).parent()?.to_owned()));
    let all = std::env::var_os("PATH").unwrap_or_default();
    let tools =
        fs::read_dir(root().join("target/tools")).into_iter().flatten().map(|tool| tool.unwrap().path());
    let all = harness.into_iter().chain(kong).chain(std::env::split_paths(&all)).chain(tools);
    std::env::join_paths(all).unwrap().into_string().unwrap()
}

/// Whether a program is here.
pub fn is_here(program: &str) -> bool {
    path().split(':').any(|directory| Path::new(directory).join(program).is_file())
}

/// Of a block.
const LONGEST: Duration = Duration::from_secs(60);

#[test]
fn blocks_are_read_as_a_reader_types_them() {
    let steps = Step::all("sh", "# why\nmake a \\\n  b\n\nmake c\n");
    let commands: Vec<_> = steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["make a \\\n  b", "make c"]);
    let steps = Step::all("console", "$ a \\\n  b\nsaid\n\n  more\n$ c\n");
    assert_eq!(steps[0].command, "a \\\n  b");
    assert_eq!(steps[0].shown.as_deref(), Some("said\n\n  more\n"));
    assert_eq!((steps[1].command.as_str(), steps[1].shown.as_deref()), ("c", Some("")));
}

#[test]
fn what_is_shown_is_what_is_said() {
    for (shown, said) in
        [("", ""), ("a\n", "a"), ("a…c\n", "abc\n"), ("a\n…\nc\n", "a\nb\nb\nc\n"), ("…\n", "a\nb\n")]
    {
        assert!(is_shown(shown, said), "{shown:?} {said:?}");
    }
    for (shown, said) in
        [("", "a\n"), ("a\n", ""), ("a\n", "a\nb\n"), ("a…c\n", "a\nc\n"), ("…\nc\n", "c\nd\n")]
    {
        assert!(!is_shown(shown, said), "{shown:?} {said:?}");
    }
}

#[test]
fn a_terminal_runs_a_page_in_one_directory_and_on_free_ports() {
    let mut terminal = Terminal::new();
    terminal.write("a.txt", "http://127.0.0.1:8000\n");
    let steps = Step::all("sh", "cd . && X=1\necho $X; cat a.txt\nexit 3\n");
    let done = terminal.run(&steps);
    assert_eq!((done[1].code, done[1].said.as_str()), (0, "1\nhttp://127.0.0.1:8000\n"));
    assert_eq!(done[2].code, -1, "a shell that is gone says no code");
    let done = terminal.run(&Step::all("sh", "grep -c 8000 a.txt\n"));
    assert_eq!(done[0].code, 1, "it was written with a port of its own");
}
