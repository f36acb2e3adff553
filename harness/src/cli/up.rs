//! `harness up`: PKI, Dogcatcher and gateway together, until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::gateway::loopback;
use super::print;
use super::signals::Signals;
use super::which_gateway::WhichGateway;
use crate::progress;
use crate::stack::{Plan, Stack};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness up
  harness up --gateway docker --config kong.yml --proxy 127.0.0.1:8000")]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
    /// Kong's declarative config, written as kong/kong.yml is: its places become those of the stack
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients are served; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0")]
    proxy: SocketAddr,
    /// Serve a page that shows what happens, to this machine alone [default address: 127.0.0.1 and a port that is free]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0", value_parser = loopback)]
    ui: Option<SocketAddr>,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { gateway, config, proxy, ui } = typed;
    let config = match config {
        Some(path) => {
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
        }
        None => include_str!("../../../kong/kong.yml").to_owned(),
    };
    let plan = Plan { config: &config, clients: &["kong-client"], proxy, status: ui };
    let gateway = gateway.find_with_page(ui.is_some())?;
    let signals = Signals::catch()?;
    let stack = Stack::up(&*gateway, &plan)?;
    progress::over();
    print(&welcome(&stack)?)?;
    signals.until_stopped(|| stack.gateway().reload());
    Ok(())
}

fn welcome(stack: &Stack) -> anyhow::Result<String> {
    let proxy = stack.gateway().proxy();
    let upstream = stack.dogcatcher().mtls().context("Dogcatcher has no address")?.port();
    let directory = stack.directory().display();
    let key = stack.keys().of("model-citizen")?;
    let page = stack.gateway().status().map(|address| format!("page        http://{address}/\n"));
    let page = page.unwrap_or_default();
    Ok(format!(
        "{page}gateway     http://{proxy}
dogcatcher  https://localhost:{upstream} (mutual TLS)
directory   {directory} (config: {directory}/kong.yml; SIGHUP reloads it)

Through the gateway, with the key of model-citizen; then without:
  curl -H 'X-API-Key: {key}' http://{proxy}/dogcatcher-mtls/api/whoami
  curl http://{proxy}/dogcatcher-mtls/api/whoami
Directly, with kong-client's certificate; then without:
  S={directory}/secrets/kong-upstream-mtls
  curl --cacert $S/ca.crt --cert $S/tls.crt --key $S/tls.key https://localhost:{upstream}/api/whoami
  curl --cacert $S/ca.crt https://localhost:{upstream}/api/whoami

Ctrl-C takes all of it down.
"
    ))
}
