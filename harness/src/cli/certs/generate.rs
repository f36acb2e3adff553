use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::cli::{Usage, is_plain_name, print, rfc3339};
use crate::kubernetes::Secret;
use crate::progress;
use pki::{Access, Algorithm, Authority, Batch, Ca, Existing, Issued, Leaf, Names, Validity};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness certs generate
  harness certs generate --output-dir certs/vet --client kong-client --client kong-vet --days 90")]
pub(in crate::cli) struct Generate {
    /// Where the files go; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    output_dir: PathBuf,
    /// How long all certificates are valid, the authority's included: 1 to 3650
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Common name of the server
    #[arg(long, value_name = "NAME", default_value = "dogcatcher-api")]
    cn: String,
    /// DNS names and IP addresses of the server, separated by commas [default: the common name, alone and as a
    /// Service in the namespace default, localhost, 127.0.0.1]
    #[arg(long, value_name = "NAMES")]
    san: Option<String>,
    /// Name of a client, for its files, its common name and its Secret; repeat for more
    #[arg(long = "client", value_name = "NAME", default_value = "kong-client")]
    clients: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    key_algorithm: Algorithm,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Generate) -> anyhow::Result<()> {
    let plan = Plan::check(&typed)?;
    let made = plan.make()?;
    let existing = if typed.force { Existing::Replace } else { Existing::Keep };
    made.batch.write(existing).with_context(|| match existing {
        Existing::Keep => "cannot write (--force replaces files)",
        Existing::Replace => "cannot write",
    })?;
    let report = made.report;
    print(&if typed.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.text() })
}

/// What was meant: everything checked.
struct Plan {
    directory: PathBuf,
    validity: Validity,
    common_name: String,
    names: Names,
    clients: Vec<String>,
    algorithm: Algorithm,
}

impl Plan {
    /// All that is wrong at once.
    fn check(typed: &Generate) -> Result<Self, Usage> {
        let Generate { output_dir, days, cn, san, clients, key_algorithm, force: _, json: _ } = typed;
        let mut wrong = Vec::new();
        let mut checked = |is_right: bool, message: String| {
            if !is_right {
                wrong.push(message);
            }
        };

        checked(
            output_dir.is_dir() || output_dir.symlink_metadata().is_err(),
            format!("--output-dir {}: not a directory", output_dir.display()),
        );
        checked((1..=MAX_DAYS).contains(days), format!("--days {days}: give 1 to {MAX_DAYS}"));
        let fits = (1..=64).contains(&cn.chars().count()) && !cn.contains(char::is_control);
        checked(fits, format!("--cn {cn:?}: a common name has 1 to 64 characters, none of them a control"));
        let mut seen = BTreeSet::new();
        for client in clients {
            if !seen.insert(client) {
                checked(false, format!("--client {client:?}: given twice"));
                continue;
            }
            checked(
                is_client_name(client),
                format!(
                    "--client {client:?}: give 1 to 64 of a-z, 0-9, \"-\" and \".\", with a letter or digit \
                     at both ends of each part (the name is also one of a Kubernetes Secret)"
                ),
            );
            let reserved = ["ca", "server"].contains(&&**client);
            checked(
                !reserved,
                format!("--client {client:?}: {client}.crt is another file's name, give another"),
            );
        }
        let names = san.as_ref().map_or_else(|| Ok(default_names(cn)), |names| names.parse());
        if let Err(invalid) = &names {
            checked(false, format!("--san: {invalid}"));
        }
        let validity = Validity::days(*days);

        match (names, validity) {
            (Ok(names), Ok(validity)) if wrong.is_empty() => Ok(Self {
                directory: output_dir.clone(),
                validity,
                common_name: cn.clone(),
                names,
                clients: clients.clone(),
                algorithm: *key_algorithm,
            }),
            _ => Err(Usage(wrong)),
        }
    }

    /// Makes everything, in memory.
    fn make(self) -> anyhow::Result<Made> {
        let ca = Ca::named(AUTHORITY).algorithm(self.algorithm).valid(self.validity);
        let authority = Authority::root(&ca).context("authority")?;
        let issue = |leaf: Leaf| authority.issue(&leaf.algorithm(self.algorithm).valid(self.validity));
        let server = issue(Leaf::server(&self.common_name).reached_as(self.names.clone()));
        let server = server.with_context(|| format!("server {}", self.common_name))?;

        let mut batch = Batch::new(&self.directory);
        let mut secrets = vec![
            Secret::of_authority("mtls-ca", "default", "kong", &authority.pem()),
            secret("dogcatcher-server-cert", "default", &server, &authority),
        ];
        let mut certificates = vec![Certificate {
            common_name: AUTHORITY.to_owned(),
            purpose: "authority",
            names: Vec::new(),
            sha256: authority.fingerprint(),
            files: add(&mut batch, "ca", authority.pem(), authority.key().pem()),
        }];
        let files = add(&mut batch, "server", server.chain_pem(), server.key().pem());
        certificates.push(Certificate::of(&server, "server", &self.common_name, &self.names, files));
        for name in &self.clients {
            progress::at(format!("client {name}"));
            let client = issue(Leaf::client(name)).with_context(|| format!("client {name}"))?;
            let mut files = add(&mut batch, name, client.chain_pem(), client.key().pem());
            files.push(format!("{name}.pem"));
            batch.add(&format!("{name}.pem"), Access::Owner, client.chain_pem() + &client.key().pem());
            secrets.push(secret(&format!("{name}-cert"), "kong", &client, &authority));
            certificates.push(Certificate::of(&client, "client", name, &Names::default(), files));
        }
        batch.add(SECRETS, Access::Owner, Secret::document(&secrets));

        let report = Report {
            directory: self.directory,
            not_before: rfc3339(self.validity.not_before())?,
            not_after: rfc3339(self.validity.not_after())?,
            certificates,
            secrets_file: SECRETS,
            secrets: secrets.iter().map(Secret::place).collect(),
        };
        Ok(Made { batch, report })
    }
}

struct Made {
    batch: Batch,
    report: Report,
}

/// What was made, where, for which names, until when.
#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    not_before: String,
    not_after: String,
    certificates: Vec<Certificate>,
    secrets_file: &'static str,
    secrets: Vec<String>,
}

#[derive(Serialize)]
struct Certificate {
    common_name: String,
    purpose: &'static str,
    names: Vec<String>,
    sha256: String,
    files: Vec<String>,
}

impl Certificate {
    fn of(
        issued: &Issued,
        purpose: &'static str,
        common_name: &str,
        names: &Names,
        files: Vec<String>,
    ) -> Self {
        let names = names.iter().map(ToString::to_string).collect();
        Self { common_name: common_name.to_owned(), purpose, names, sha256: issued.fingerprint(), files }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!("In {}, valid until {}:\n\n", self.directory.display(), self.not_after);
        for Certificate { common_name, purpose, names, sha256: _, files } in &self.certificates {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}\n      {purpose} CN={common_name}", files.join(", "));
            if !names.is_empty() {
                let _ = writeln!(text, "      for {}", names.join(", "));
            }
        }
        let _ = writeln!(text, "  {}\n      Secrets {}", self.secrets_file, self.secrets.join(", "));
        text.push_str("\nOnly you can read the private keys. Whoever has ca.key can be any client: keep it away from servers.\n");
        text
    }
}

fn secret(name: &str, namespace: &str, identity: &Issued, authority: &Authority) -> Secret {
    Secret::of_identity(name, namespace, &identity.chain_pem(), &identity.key().pem(), &authority.pem())
}

fn add(batch: &mut Batch, name: &str, certificate: String, key: String) -> Vec<String> {
    let files = [format!("{name}.crt"), format!("{name}.key")];
    batch.add(&files[0], Access::Public, certificate);
    batch.add(&files[1], Access::Owner, key);
    files.into()
}

/// A common name that is no DNS name ("Dog Catcher") is no name to reach a server by.
fn default_names(common_name: &str) -> Names {
    let within_kubernetes = ["", ".default", ".default.svc", ".default.svc.cluster.local"];
    let of_service = within_kubernetes.map(|suffix| format!("{common_name}{suffix}"));
    let local = ["localhost", "127.0.0.1"].map(str::to_owned);
    of_service.iter().chain(&local).filter_map(|name| name.parse().ok()).collect()
}

/// As a client certificate's name in a policy, and as part of a Secret's name (RFC 1123 subdomain).
fn is_client_name(name: &str) -> bool {
    let at_ends = |part: &str| {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        is_end(part.as_bytes().first()) && is_end(part.as_bytes().last())
    };
    is_plain_name(name)
        && name.len() <= 64
        && !name.contains(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.split('.').all(at_ends)
}

const AUTHORITY: &str = "mTLS CA";
const SECRETS: &str = "k8s-mtls-secrets.yaml";
/// Ten years: longer than anybody remembers who has the keys.
const MAX_DAYS: u32 = 3650;
