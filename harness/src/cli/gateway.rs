//! `harness gateway`: a gateway in the foreground.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::Usage;
use crate::gateway::embedded::Embedded;
use crate::gateway::{Gateway as _, Running, Setup};

#[derive(Args)]
pub(super) struct Gateway {
    /// Which gateway
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    gateway: Kind,
    /// Kong's declarative config, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where clients are served; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    proxy: SocketAddr,
    /// Where status and metrics are served; without it: nowhere
    #[arg(long, value_name = "ADDR")]
    status: Option<SocketAddr>,
    /// Directory of NAME.wasm and NAME.meta.json; without it: `filters` in the build directory
    #[arg(long, value_name = "DIR", env = "HARNESS_FILTERS")]
    filters: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Kind {
    #[default]
    Embedded,
}

/// Serves until SIGTERM or SIGINT; SIGHUP takes over the config file as it is then.
pub(super) fn run(typed: Gateway) -> anyhow::Result<()> {
    let Gateway { gateway, config, proxy, status, filters } = typed;
    if !config.is_file() {
        return Err(Usage(vec![format!("{}: no such file", config.display())]).into());
    }
    let default_level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(default_level).init();
    let filters = filters.map_or_else(beside_the_program, Ok)?;
    let setup = Setup { config, filters, proxy, status };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anything is printed: who reads it may send a signal at once.
        let mut hangups = signal(SignalKind::hangup())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let running = match gateway {
            Kind::Embedded => Embedded.start(&setup)?,
        };
        super::print(&addresses(&*running))?;
        loop {
            tokio::select! {
                _ = hangups.recv() => reload(&*running),
                _ = terminations.recv() => return Ok(()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    })
}

/// Where `make filter` puts them: `filters` beside the directory of the program, `target/debug`, say.
fn beside_the_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is; give --filters")?;
    let target = program.parent().and_then(std::path::Path::parent);
    Ok(target.context("this program is in no directory; give --filters")?.join("filters"))
}

fn addresses(running: &dyn Running) -> String {
    let status = running.status().map(|address| format!("status http://{address}\n"));
    format!("proxy http://{}\n{}", running.proxy(), status.unwrap_or_default())
}

/// The gateway itself says why it refuses a config.
fn reload(running: &dyn Running) {
    let told = match running.reload() {
        Ok(()) => writeln!(io::stderr(), "config reloaded"),
        Err(_) => writeln!(io::stderr(), "config refused; the one before stays in force"),
    };
    // Nobody is left to be told when stderr is closed.
    let _ = told;
}
