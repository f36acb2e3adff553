//! `harness doctor`: which hop is broken, why, and what to do.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Usage, print};
use crate::doctor::{
    AdminApi, Case, Finding, Patient, State, Text, Through, TrustedBy, examine, examine_gateway, patients,
};
use crate::progress;

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness doctor --config kong.yml
  harness doctor --admin http://127.0.0.1:8001
  harness doctor --host api.example.com --cert client.crt --key client.key --ca ca.crt
  harness doctor --through http://127.0.0.1:8000/dogs --api-key-file key.txt

Exit codes: 0 every hop is in order; 1 one is broken; 2 could not ask.")]
pub(super) struct Typed {
    /// Kong's declarative config: every service in it, under each of its client certificates; or Kubernetes manifests:
    /// the policies of the KongPlugins in them
    #[arg(long, value_name = "FILE", conflicts_with = "host")]
    config: Option<PathBuf>,
    /// Admin API of a running Kong: check each policy of mtls-policy and each id in an upstream-mtls there
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// CA certificates to verify the Admin API with, instead of the system's
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_ca: Option<PathBuf>,
    /// File with headers for the Admin API, one `NAME: VALUE` a line
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_header_file: Option<PathBuf>,
    /// The upstream, without a config
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    port: u16,
    /// The name to ask for and to check, if it is not the host
    #[arg(long, value_name = "NAME", requires = "host")]
    server_name: Option<String>,
    /// What to present: the chain, leaf first
    #[arg(long, value_name = "FILE", requires = "key", requires = "host")]
    cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Whom to believe; without it the upstream is not verified
    #[arg(long, value_name = "FILE", requires = "host")]
    ca: Option<PathBuf>,
    /// What these have revoked
    #[arg(long, value_name = "FILE", requires = "ca")]
    crl: Option<PathBuf>,
    /// What to GET
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// Ask through a gateway as well: http://HOST:PORT/PATH
    #[arg(long, value_name = "URL")]
    through: Option<String>,
    /// File with the API key for that
    #[arg(long, value_name = "FILE", requires = "through")]
    api_key_file: Option<PathBuf>,
    /// Header that the key goes into
    #[arg(long, value_name = "NAME", default_value = "X-API-Key")]
    api_key_header: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let now = OffsetDateTime::now_utc();
    let through = through(&typed)?;
    let admin = admin(&typed)?;
    let (config, cases) = cases(&typed)?;
    if cases.is_empty() && config.is_empty() && through.is_none() && admin.is_none() {
        let message = "say what to look at: --config FILE, --admin URL, --host HOST, or --through URL";
        return Err(Usage(vec![message.to_owned()]).into());
    }
    let mut sections = Vec::new();
    if let Some((url, admin)) = &admin {
        progress::at(format!("reading the configuration from {url}"));
        let hops = admin.examine().map_err(|error| Usage(vec![error.to_string()]))?;
        sections.push(Section { name: format!("Kong with the Admin API {url}"), hops });
    }
    if !config.is_empty() {
        sections.push(Section { name: "config".to_owned(), hops: config });
    }
    let looked_at = cases.into_iter().map(|Case { name, patient }| {
        progress::at(format!("asking {name}"));
        Section { name, hops: examine(&patient, now) }
    });
    sections.extend(looked_at);
    if let Some(through) = &through {
        progress::at(format!("asking {}:{}", through.host, through.port));
        sections
            .push(Section { name: "through the gateway".to_owned(), hops: examine_gateway(through, now) });
    }
    let broken =
        sections.iter().flat_map(|section| &section.hops).filter(|finding| finding.is_broken()).count();
    print(&if typed.json {
        serde_json::to_string_pretty(&serde_json::json!({ "broken": broken, "ways": sections }))? + "\n"
    } else {
        sections.iter().map(Section::text).collect::<Vec<_>>().join("\n")
    })?;
    match broken {
        0 => Ok(()),
        1 => anyhow::bail!("1 hop is broken"),
        more => anyhow::bail!("{more} hops are broken"),
    }
}

/// The Admin API, and its URL.
fn admin(typed: &Typed) -> Result<Option<(&str, AdminApi)>, Usage> {
    let Some(url) = &typed.admin else { return Ok(None) };
    let read = |option: &str, file: &Option<PathBuf>| match file {
        None => Ok(None),
        Some(path) => match std::fs::read(path) {
            Ok(content) => Ok(Some(content)),
            Err(why) => Err(Usage(vec![format!("{option} {}: {why}", path.display())])),
        },
    };
    let ca = read("--admin-ca", &typed.admin_ca)?;
    let headers = read("--admin-header-file", &typed.admin_header_file)?.unwrap_or_default();
    let headers = String::from_utf8(headers)
        .map_err(|_| Usage(vec!["--admin-header-file: expected text in UTF-8".to_owned()]))?;
    let api = AdminApi::new(url, ca.as_deref(), &headers).map_err(|error| Usage(vec![error.to_string()]))?;
    Ok(Some((url, api)))
}

fn cases(typed: &Typed) -> Result<(Vec<Finding>, Vec<Case>), Usage> {
    if let Some(file) = &typed.config {
        if !file.is_file() {
            return Err(Usage(vec![format!("--config {}: no such file", file.display())]));
        }
        return Ok(patients(file));
    }
    let Some(host) = &typed.host else { return Ok((Vec::new(), Vec::new())) };
    let file = |path: &PathBuf| Text::File(path.clone());
    let patient = Patient {
        host: host.clone(),
        port: typed.port,
        server_name: typed.server_name.as_ref().unwrap_or(host).clone(),
        is_https: true,
        client: typed.cert.as_ref().zip(typed.key.as_ref()).map(|(cert, key)| (file(cert), file(key))),
        trust: typed.ca.as_ref().map(|ca| TrustedBy {
            anchors: file(ca),
            // nginx's own, and upstream-mtls'.
            depth: 1,
            revocations: typed.crl.as_ref().map(file),
            names: Vec::new(),
        }),
        path: typed.path.clone(),
    };
    Ok((Vec::new(), vec![Case { name: format!("{host}:{}", typed.port), patient }]))
}

fn through(typed: &Typed) -> Result<Option<Through>, Usage> {
    let Some(url) = &typed.through else { return Ok(None) };
    let wrong = |why: &str| Usage(vec![format!("--through {url}: {why}")]);
    let uri: http::Uri = url.parse().map_err(|_| wrong("no URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("give http://HOST:PORT/PATH"));
    }
    let key = match &typed.api_key_file {
        None => None,
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let key = read.map_err(|why| Usage(vec![format!("--api-key-file {}: {why}", path.display())]))?;
            Some((typed.api_key_header.clone(), key.trim().to_owned()))
        }
    };
    // A line break would be a second header.
    let is_one_line = |text: &str| !text.contains(char::is_control);
    if key.as_ref().is_some_and(|(name, key)| !is_one_line(name) || !is_one_line(key)) {
        return Err(Usage(vec!["--api-key-file: one key, on one line".to_owned()]));
    }
    Ok(Some(Through {
        host: uri.host().ok_or_else(|| wrong("no host"))?.to_owned(),
        port: uri.port_u16().unwrap_or(80),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        key,
    }))
}

/// One way, and what was found on it.
#[derive(Serialize)]
struct Section {
    name: String,
    hops: Vec<Finding>,
}

impl Section {
    /// One line for each hop.
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.name);
        for Finding { hop, state } in &self.hops {
            let (mark, told) = match state {
                State::Fine { what } => ("ok", what.clone()),
                State::Doubtful(fault) => ("doubt", format!("{fault}; {}", fault.cure())),
                State::Broken(fault) => ("BROKEN", format!("{fault}; {}", fault.cure())),
                State::Untried => ("-", "not looked at, for what is broken before it".to_owned()),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {mark:<7} {:<20} {}",
                hop.name(),
                told.replace(char::is_control, " ").trim_end()
            );
        }
        text
    }
}
