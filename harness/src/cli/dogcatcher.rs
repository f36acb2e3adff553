//! `harness dogcatcher`: the mock API, alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::signals::{Signals, Woken};
use super::{print, tell};
use crate::dogcatcher::{ClientCertificate, Dogcatcher, Fault, Options, Sessions, Tls, Versions};

/// What was typed.
#[derive(Args)]
#[command(after_help = "Example:
  harness certs generate && harness dogcatcher
  curl --cacert certs/mtls/ca.crt --cert certs/mtls/kong-client.pem https://localhost:5443/api/whoami
  harness dogcatcher --fault reset-response     # SIGUSR1 switches the fault off, and on again")]
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
    /// Lists of what the client authorities have revoked; without it, nobody asks
    #[arg(long, value_name = "FILE")]
    crl: Option<PathBuf>,
    /// Seconds between looks at the files; what is good in them is taken over, what is not changes nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    reload_interval: u64,
    /// Keys of which X-API-Key must be one, comma-separated
    #[arg(long, env = "API_KEYS", hide_env_values = true, value_delimiter = ',')]
    api_keys: Vec<String>,
    /// Ask for one of the API keys
    #[arg(long, env = "API_KEY_REQUIRED", default_value_t = false, action = clap::ArgAction::Set)]
    api_key_required: bool,
    /// What goes wrong on purpose, on both ports; SIGUSR1 switches it off, and on again
    #[arg(long, value_enum, value_name = "FAULT", default_value_t)]
    fault: Fault,
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
    let Typed { cert_dir, mtls_enabled, mtls, http, crl, reload_interval, api_keys, api_key_required, fault } =
        typed;
    if api_key_required && api_keys.is_empty() {
        anyhow::bail!("an API key is required, but there is none: give --api-keys (or API_KEYS)");
    }
    let read = || read(&cert_dir, crl.as_deref());
    let tls = mtls_enabled.then(read).transpose()?;
    let dogcatcher = Dogcatcher::start(&Options {
        http: http.0,
        mtls: tls.clone().map(|tls| (mtls, tls)),
        api_keys: if api_key_required { api_keys } else { Vec::new() },
        fault,
    })?;
    let signals = Signals::catch()?.with_switch()?;
    if let Some(address) = dogcatcher.http() {
        print(&format!("http http://{address}\n"))?;
    }
    if let Some(address) = dogcatcher.mtls() {
        print(&format!("mtls https://{address}\n"))?;
    }
    let mut files = Files { in_force: tls, refused: None };
    let mut switch = Switch { asked_for: fault, in_force: fault };
    signals.until_stopped_every(Duration::from_secs(reload_interval), |woken| match woken {
        Woken::Look => files.look(read, &dogcatcher),
        Woken::Switch => switch.turn(&dogcatcher),
    });
    dogcatcher.stop();
    Ok(())
}

fn read(cert_dir: &Path, crl: Option<&Path>) -> anyhow::Result<Tls> {
    let text = |path: &Path, made_by: &str| {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}; `harness certs {made_by}` makes it", path.display()))
    };
    let own = |name: &str| text(&cert_dir.join(name), "generate");
    Ok(Tls {
        chain: own("server.crt")?,
        key: own("server.key")?,
        client_authorities: own("ca.crt")?,
        client_revocations: crl.map(|path| text(path, "revoke")).transpose()?,
        client_certificate: ClientCertificate::Demanded,
        versions: Versions::Both,
        sessions: Sessions::Tickets,
    })
}

/// The fault that was asked for, and whether it is on.
struct Switch {
    asked_for: Fault,
    in_force: Fault,
}

impl Switch {
    fn turn(&mut self, dogcatcher: &Dogcatcher) {
        self.in_force = if self.in_force == Fault::None { self.asked_for } else { Fault::None };
        dogcatcher.set_fault(self.in_force);
        let name = self.in_force.to_possible_value();
        let name = name.as_ref().map_or("", |value| value.get_name());
        tell(&format!("fault: {name}\n"));
    }
}

/// What is in force of the files.
struct Files {
    /// `None`: plain HTTP alone is served.
    in_force: Option<Tls>,
    /// Why the newest is not; told once.
    refused: Option<String>,
}

impl Files {
    fn look(&mut self, read: impl Fn() -> anyhow::Result<Tls>, dogcatcher: &Dogcatcher) {
        let Some(in_force) = &mut self.in_force else { return };
        let news = read().and_then(|tls| match tls == *in_force {
            true => Ok(false),
            false => {
                dogcatcher.set_tls(&tls)?;
                *in_force = tls;
                Ok(true)
            }
        });
        match news {
            Ok(false) => self.refused = None,
            Ok(true) => {
                self.refused = None;
                tell("took over what is new in the files\n");
            }
            Err(reason) => {
                let reason = Some(format!("{reason:#}"));
                if self.refused != reason {
                    let why = reason.as_deref().unwrap_or_default();
                    tell(&format!("refused, all stays as it was: {why}\n"));
                    self.refused = reason;
                }
            }
        }
    }
}
