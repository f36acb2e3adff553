//! Command line: one file per verb.

mod bench;
mod certs;
mod completions;
mod conformance;
mod demo;
mod doctor;
mod dogcatcher;
mod e2e;
mod envoy;
mod gateway;
mod keys;
mod kong;
mod man;
mod migrate;
mod policy;
mod signals;
mod soak;
mod up;
mod which_gateway;

use std::fmt;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

use crate::gateway::Unavailable;
use crate::progress;
use policy_tools::keys::time as rfc3339;

/// The command line, for whoever wants to know all verbs.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
///
/// Exit codes: 0 yes; 1 the answer is no (invalid, refused, failed); 2 could not ask (usage, a missing file, a gateway
/// that is not here).
pub fn main() -> ExitCode {
    let Cli { quiet, verb } = Cli::parse();
    if !quiet {
        progress::show();
    }
    let outcome = match verb {
        Verb::Bench(typed) => bench::run(typed),
        Verb::Certs(verb) => certs::run(verb),
        Verb::Completions(typed) => completions::run(typed),
        Verb::Conformance(typed) => conformance::run(typed),
        Verb::Demo(typed) => demo::run(typed),
        Verb::Doctor(typed) => doctor::run(typed),
        Verb::Dogcatcher(typed) => dogcatcher::run(typed),
        Verb::E2e(typed) => e2e::run(typed),
        Verb::Envoy(verb) => envoy::run(verb),
        Verb::Gateway(typed) => gateway::run(typed),
        Verb::Keys(verb) => keys::run(verb),
        Verb::Kong(verb) => kong::run(verb),
        Verb::Man(typed) => man::run(typed),
        Verb::Migrate(typed) => migrate::run(typed),
        Verb::Policy(verb) => policy::run(verb),
        Verb::Soak(typed) => soak::run(typed),
        Verb::Up(typed) => up::run(typed),
    };
    progress::over();
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    tell(&match error.is::<No>() {
        true => format!("{error}\n"),
        false => format!("error: {error:#}\n"),
    });
    if error.is::<Usage>() || error.is::<Unavailable>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

#[derive(Parser)]
#[command(
    name = "harness",
    version,
    about,
    after_help = "Results go to stdout and all else to stderr, in colours where a terminal shows them and NO_COLOR does not \
forbid it.

Examples:
  harness demo
  harness certs generate
  harness policy check kong.yml

Exit codes: 0 yes; 1 the answer is no (invalid, refused, failed); 2 could not ask."
)]
struct Cli {
    /// Don't say what is going on; in a pipe nobody does anyhow
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// What a gateway costs: variants of one route in turn under the same load, as a table
    Bench(bench::Typed),
    /// Certificates for mutual TLS
    #[command(subcommand)]
    Certs(certs::Verb),
    /// What a shell completes
    Completions(completions::Typed),
    /// The same cases on every host, as a table
    Conformance(conformance::Typed),
    /// Bring all of it up, and walk the path and every way in which it must fail
    Demo(demo::Typed),
    /// Which hop from the gateway to the upstream is broken, why, and what to do
    Doctor(doctor::Typed),
    /// The mock API that demands mutual TLS, alone
    Dogcatcher(dogcatcher::Typed),
    /// Your own config and your own cases, with a mock upstream
    E2e(e2e::Typed),
    /// Kong's declarative config for an Envoy
    #[command(subcommand)]
    Envoy(envoy::Verb),
    /// A gateway, in the foreground
    Gateway(gateway::Typed),
    /// API keys
    #[command(subcommand)]
    Keys(keys::Verb),
    /// A real Kong
    #[command(subcommand)]
    Kong(kong::Verb),
    /// Manual pages
    Man(man::Typed),
    /// From the key-auth and client certificates of Kong, Envoy or APISIX to mtls-policy and upstream-mtls
    Migrate(migrate::Typed),
    /// Policies: checked, explained, compared and formatted
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Everything at once for long: rotation, changes of policy, failures, and what must never happen meanwhile
    Soak(soak::Typed),
    /// PKI, Dogcatcher and gateway together, until Ctrl-C
    Up(up::Typed),
}

/// What was typed cannot be done: every reason, one a line.
#[derive(Debug)]
struct Usage(Vec<String>);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\nerror: "))
    }
}

impl std::error::Error for Usage {}

/// An answer that is no, in a few words; nothing went wrong.
#[derive(Debug)]
struct No(String);

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for No {}

/// Prints a result, in colours where it has some and a terminal shows them. A reader that has seen enough (`| head`) is
/// no error.
fn print(text: &str) -> anyhow::Result<()> {
    let written = progress::aside(|| {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    });
    match written {
        Err(reason) if reason.kind() != ErrorKind::BrokenPipe => {
            Err(reason).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

/// Says on stderr what is no result. Nobody is left to be told when that is closed.
fn tell(text: &str) {
    progress::aside(|| {
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    });
}

/// Whether a name is one of a client certificate or a key: `[A-Za-z0-9._-]{1,128}`.
fn is_plain_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
