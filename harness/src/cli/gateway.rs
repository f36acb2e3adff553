//! `harness gateway`: a gateway in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::signals::Signals;
use super::which_gateway::WhichGateway;
use super::{Usage, print};
use crate::gateway::{self, Running, Setup};
use crate::progress;

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "SIGHUP takes over the config file as it is then; a config that is refused changes nothing.
SIGTERM and SIGINT let requests under way end, for a few seconds.

Examples:
  harness gateway --config kong.yml
  harness gateway --gateway kong --config kong.yml --status 127.0.0.1:8100"
)]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
    /// Kong's declarative config, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where clients are served; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    proxy: SocketAddr,
    /// Where GET /status is served; without it: nowhere
    #[arg(long, value_name = "ADDR")]
    status: Option<SocketAddr>,
    /// Directory of NAME.wasm and NAME.meta.json [default: HARNESS_FILTERS, else where `make filter` puts them]
    #[arg(long, value_name = "DIR")]
    filters: Option<PathBuf>,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { gateway, config, proxy, status, filters } = typed;
    if !config.is_file() {
        return Err(Usage(vec![format!("{}: no such file", config.display())]).into());
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let filters = filters.map_or_else(gateway::filters, Ok)?;
    let gateway = gateway.find()?;
    let signals = Signals::catch()?;
    progress::at(format!("starting {}", gateway.name()));
    let running = gateway.start(&Setup { config, filters, proxy, status })?;
    progress::over();
    print(&addresses(&*running))?;
    signals.until_stopped(|| running.reload());
    Ok(())
}

fn addresses(running: &dyn Running) -> String {
    let status = running.status().map(|address| format!("status http://{address}\n"));
    format!("proxy http://{}\n{}", running.proxy(), status.unwrap_or_default())
}
