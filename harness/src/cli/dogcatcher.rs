//! `harness dogcatcher`: the mock API, alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::print;
use super::signals::Signals;
use crate::dogcatcher::{ClientCertificate, Dogcatcher, Options, Sessions, Tls, Versions};

/// What was typed.
#[derive(Args)]
#[command(after_help = "Example:
  harness certs generate && harness dogcatcher
  curl --cacert certs/mtls/ca.crt --cert certs/mtls/kong-client.pem https://localhost:5443/api/whoami")]
pub(super) struct Typed {
    /// Directory of ca.crt, server.crt and server.key
    #[arg(long, env = "CERT_DIR", default_value = "./certs/mtls")]
    cert_dir: PathBuf,
    /// Serve mutual TLS; without it, plain HTTP alone
    #[arg(long, env = "MTLS_ENABLED", default_value_t = true, action = clap::ArgAction::Set)]
    mtls_enabled: bool,
    /// Where mutual TLS is served; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:5443")]
    mtls: SocketAddr,
    /// Where plain HTTP is served; `none`: nowhere
    #[arg(long, default_value = "127.0.0.1:5000", value_parser = address_or_none)]
    http: AddressOrNone,
    /// Keys of which X-API-Key must be one, comma-separated
    #[arg(long, env = "API_KEYS", hide_env_values = true, value_delimiter = ',')]
    api_keys: Vec<String>,
    /// Ask for one of the API keys
    #[arg(long, env = "API_KEY_REQUIRED", default_value_t = false, action = clap::ArgAction::Set)]
    api_key_required: bool,
}

/// An address to listen on, or the word `none`.
#[derive(Clone, Copy)]
struct AddressOrNone(Option<SocketAddr>);

fn address_or_none(typed: &str) -> Result<AddressOrNone, String> {
    match typed {
        "none" => Ok(AddressOrNone(None)),
        address => address
            .parse()
            .map(|address| AddressOrNone(Some(address)))
            .map_err(|reason| format!("{reason}; give ADDRESS:PORT or none")),
    }
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { cert_dir, mtls_enabled, mtls, http, api_keys, api_key_required } = typed;
    if api_key_required && api_keys.is_empty() {
        anyhow::bail!("an API key is required, but there is none: give --api-keys (or API_KEYS)");
    }
    let read = |name: &str| {
        let path = cert_dir.join(name);
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}; `harness certs generate` makes it", path.display()))
    };
    let tls = match mtls_enabled {
        true => Some(Tls {
            chain: read("server.crt")?,
            key: read("server.key")?,
            client_authorities: read("ca.crt")?,
            client_certificate: ClientCertificate::Demanded,
            versions: Versions::Both,
            sessions: Sessions::Tickets,
        }),
        false => None,
    };
    let dogcatcher = Dogcatcher::start(&Options {
        http: http.0,
        mtls: tls.map(|tls| (mtls, tls)),
        api_keys: if api_key_required { api_keys } else { Vec::new() },
    })?;
    let signals = Signals::catch()?;
    if let Some(address) = dogcatcher.http() {
        print(&format!("http http://{address}\n"))?;
    }
    if let Some(address) = dogcatcher.mtls() {
        print(&format!("mtls https://{address}\n"))?;
    }
    signals.until_stopped(|| Ok(()));
    dogcatcher.stop();
    Ok(())
}
