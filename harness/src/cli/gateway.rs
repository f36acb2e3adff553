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
    /// Serve a page there too that shows what happens, to this machine alone: --status has to be a loopback address
    #[arg(long, requires = "status")]
    ui: bool,
    /// Directory of NAME.wasm and NAME.meta.json [default: HARNESS_FILTERS, else where `make filter` puts them]
    #[arg(long, value_name = "DIR")]
    filters: Option<PathBuf>,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { gateway, config, proxy, status, ui, filters } = typed;
    if !config.is_file() {
        return Err(Usage(vec![format!("{}: no such file", config.display())]).into());
    }
    if let Some(address) = status.filter(|address| ui && !address.ip().is_loopback()) {
        return Err(Usage(vec![format!("--ui with --status {address}: {NOT_HERE}")]).into());
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let filters = filters.map_or_else(gateway::filters, Ok)?;
    let gateway = gateway.find_with_page(ui)?;
    let signals = Signals::catch()?;
    progress::at(format!("starting {}", gateway.name()));
    let running = gateway.start(&Setup { config, filters, proxy, status })?;
    progress::over();
    print(&addresses(&*running, ui))?;
    signals.until_stopped(|| running.reload());
    Ok(())
}

fn addresses(running: &dyn Running, ui: bool) -> String {
    let status = running.status().map(|address| format!("status http://{address}\n"));
    let page = running.status().filter(|_| ui).map(|address| format!("page http://{address}/\n"));
    format!("proxy http://{}\n{}{}", running.proxy(), status.unwrap_or_default(), page.unwrap_or_default())
}

/// Where the page may be served.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "give 127.0.0.1:8001".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err(NOT_HERE.to_owned()) }
}

const NOT_HERE: &str = "the page is for this machine alone: give a loopback address, 127.0.0.1:8001";
