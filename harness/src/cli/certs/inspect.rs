use std::fmt::Write;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::cli::{Usage, print};
use crate::progress;
use pki::inspect::{
    Certificate, Chain, End, Finding, Inspection, KeyMatch, Material, Probe, Severity, Unreached, read,
};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness certs inspect certs/mtls
  harness certs inspect k8s-mtls-secrets.yaml --json
  harness certs inspect localhost:5443 --warn-days 14

Exit codes: 0 nothing is wrong; 1 something is, or ends within --warn-days; 2 a place could not be read.")]
pub(in crate::cli) struct Inspect {
    /// Files (PEM or DER), directories, manifests with Secrets, or HOST:PORT of a TLS server
    #[arg(required = true, value_name = "PLACE")]
    places: Vec<String>,
    /// Exit with 1 when a certificate has expired or will within so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    warn_days: u32,
    /// The name to ask a server for, if it is not the host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Exit codes: 0 all is well; 1 something is wrong, or expires within `--warn-days`; 2 a place cannot be read.
pub(super) fn run(typed: Inspect) -> anyhow::Result<()> {
    let now = OffsetDateTime::now_utc();
    let ahead = Duration::days(typed.warn_days.into());
    let (mut inspections, mut unreadable) = (Vec::new(), Vec::new());
    for place in &typed.places {
        let found = materials(place, typed.server_name.as_deref());
        for material in found.unwrap_or_else(|reason| vec![Err(reason)]) {
            match material {
                Ok(material) => inspections.push(Inspection::of(material, now, ahead)),
                Err(reason) => unreadable.push(reason),
            }
        }
    }
    let report = Report::of(&inspections, &unreadable, now);
    print(&if typed.json { serde_json::to_string_pretty(&report)? + "\n" } else { table(&report) })?;
    if !unreadable.is_empty() {
        return Err(Usage(unreadable).into());
    }
    let bad = inspections.iter().filter(|found| found.is_wrong() || found.expires()).count();
    if bad > 0 {
        anyhow::bail!("{bad} of {} need attention", inspections.len());
    }
    Ok(())
}

/// Of one place; a path that is there is no address.
fn materials(place: &str, server_name: Option<&str>) -> Result<Vec<Result<Material, String>>, String> {
    let address = place.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match address {
        Some((host, port)) if !Path::new(place).exists() => {
            progress::at(format!("asking {place}"));
            let probe = Probe::new(host, port);
            let probe = server_name.into_iter().fold(probe, Probe::server_name);
            let material = match probe.ask() {
                Ok(answered) => answered.material,
                // A server that wants a client certificate has shown its own before it says no.
                Err(Unreached::Refused { shown, .. }) if !shown.is_empty() => Material::live(place, shown),
                Err(reason) => return Err(format!("{place}: {reason}")),
            };
            Ok(vec![Ok(material)])
        }
        _ => {
            let read = read(Path::new(place)).map_err(|reason| reason.to_string())?;
            Ok(read.into_iter().map(|one| one.map_err(|reason| reason.to_string())).collect())
        }
    }
}

#[derive(Serialize)]
struct Report<'i> {
    places: Vec<Place<'i>>,
    unreadable: &'i [String],
}

#[derive(Serialize)]
struct Place<'i> {
    #[serde(flatten)]
    inspection: &'i Inspection,
    days_left: Vec<i64>,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    certificate: Option<usize>,
    severity: Severity,
    text: String,
}

impl<'i> Report<'i> {
    fn of(inspections: &'i [Inspection], unreadable: &'i [String], now: OffsetDateTime) -> Self {
        let place = |inspection: &'i Inspection| Place {
            inspection,
            days_left: inspection.certificates.iter().map(|one| one.days_left(now)).collect(),
            messages: inspection.findings.iter().map(Message::of).collect(),
        };
        Self { places: inspections.iter().map(place).collect(), unreadable }
    }
}

impl Message {
    fn of(finding: &Finding) -> Self {
        let Finding { certificate, problem } = finding;
        Self { certificate: *certificate, severity: problem.severity(), text: problem.to_string() }
    }
}

/// One certificate a row, what else is to be known of it below, and findings at the end of each place.
fn table(report: &Report<'_>) -> String {
    let rows = report.places.iter().flat_map(|place| &place.inspection.certificates).map(cells);
    let heads = ["SUBJECT", "FROM", "UNTIL", "KEY", "USES"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let line = |[subject, from, until, key, uses]: &[String; 5], days: &str| {
        let [a, b, c, d, _] = widths;
        format!("  {subject:a$}  {from:b$}  {until:c$}  {days:>6}  {key:d$}  {uses}\n")
    };
    let mut text = if report.places.is_empty() { String::new() } else { line(&rows[0], "DAYS") };
    for Place { inspection, days_left, messages } in &report.places {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {}", inspection.origin, summary(inspection));
        for (at, (certificate, days)) in inspection.certificates.iter().zip(days_left).enumerate() {
            text.push_str(&line(&cells(certificate), &days.to_string()));
            if !certificate.names.is_empty() {
                let _ = writeln!(text, "      for {}", certificate.names.join(", "));
            }
            let _ = writeln!(text, "      by {}, serial {}", certificate.issuer, certificate.serial);
            let _ = writeln!(text, "      sha256 {}", certificate.sha256);
            messages.iter().filter(|told| told.certificate == Some(at)).for_each(|told| told.line(&mut text));
        }
        messages.iter().filter(|told| told.certificate.is_none()).for_each(|told| told.line(&mut text));
    }
    text
}

impl Message {
    fn line(&self, text: &mut String) {
        let mark = match self.severity {
            Severity::Warning => '!',
            Severity::Wrong => '✗',
        };
        let _ = writeln!(text, "    {mark} {}", self.text);
    }
}

/// All but the days, which depend on when one asks.
fn cells(certificate: &Certificate) -> [String; 5] {
    let day = |time: OffsetDateTime| time.date().to_string();
    let mut uses: Vec<_> = certificate.is_authority.then_some("authority").into_iter().collect();
    uses.extend(certificate.key_usage.iter().flatten());
    uses.extend(certificate.extended_key_usage.iter().flatten().map(String::as_str));
    let uses = if uses.is_empty() { "any".to_owned() } else { uses.join(" ") };
    let Certificate { subject, not_before, not_after, public_key, .. } = certificate;
    [subject.clone(), day(*not_before), day(*not_after), public_key.to_string(), uses]
}

fn summary(inspection: &Inspection) -> String {
    let chain = match &inspection.chain {
        None => "authorities".to_owned(),
        Some(Chain { path, end, .. }) => {
            let end = match end {
                End::Anchored { by } => format!("trusted by {by} beside it"),
                End::Forged { issuer } => format!("not signed by the {issuer} that is there"),
                End::Missing { issuer } => format!("up to {issuer}, which is not there"),
                End::Root => "up to its root".to_owned(),
            };
            format!("chain of {}, {end}", path.len())
        }
    };
    let key = match inspection.key {
        KeyMatch::Differs => ", NOT its key",
        KeyMatch::Matches => ", key matches",
        KeyMatch::NotGiven => "",
        KeyMatch::Unchecked => ", key not checked",
    };
    chain + key
}
