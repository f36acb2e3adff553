use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use super::need_authority;
use crate::cli::print;
use pki::Validity;
use pki::rotation::{Hop, Refused, Scene, Step};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "Without --step nothing is written. A step that was broken off is done again. Whoever reads \
the files must have taken them over before the next step: with --hop, servers are asked.

Examples:
  harness certs rotate-ca
  harness certs rotate-ca --step trust --hop localhost:5443"
)]
pub(in crate::cli) struct RotateCa {
    /// More directories with tls.crt, tls.key, ca.crt (or NAME.crt, NAME.key) that belong to the authority
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Directory of the authority's ca.crt and ca.key
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    ca_dir: PathBuf,
    /// Do one step, instead of printing the plan
    #[arg(long, value_enum)]
    step: Option<Step>,
    /// A server that has to have taken a step over before the next; repeat for more
    #[arg(long = "hop", value_name = "HOST:PORT")]
    hops: Vec<Hop>,
    /// Common name of the new authority [default: "mTLS CA" and the date]
    #[arg(long, value_name = "NAME")]
    cn: Option<String>,
    /// How long the new authority is valid
    #[arg(long, value_name = "DAYS", default_value_t = 3650)]
    days: u32,
}

pub(super) fn run(typed: RotateCa) -> anyhow::Result<()> {
    let RotateCa { directories, ca_dir, step, hops, cn, days } = typed;
    need_authority(&ca_dir)?;
    let read = || Scene::read(&ca_dir, &directories, hops.clone());
    let scene = read()?;
    let Some(step) = step else { return print(&plan(&scene)) };
    let now = OffsetDateTime::now_utc();
    // Another name than the one before: peers ask for authorities by name.
    let name = cn.unwrap_or_else(|| {
        format!("mTLS CA {}T{:02}{:02}{:02}", now.date(), now.hour(), now.minute(), now.second())
    });
    let mut told = String::new();
    for path in scene.take(step, &name, Validity::days(days)?)? {
        let _ = writeln!(told, "wrote {}", path.display());
    }
    print(&(told + &plan(&read()?)))
}

/// What is due, and what stands in the way of it.
fn plan(scene: &Scene) -> String {
    let mut text = String::new();
    let due = scene.due();
    for step in Step::ALL {
        let mark = match due {
            Some(due) if step < due => "done",
            Some(due) if step == due => "due ",
            _ => "    ",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} --step {step:<6} {}; {}", step.what(), step.then());
    }
    if let Some(Err(Refused(reasons))) = due.map(|due| scene.check(due)) {
        let _ = writeln!(text, "In the way:\n  {}", reasons.join("\n  "));
    }
    text
}
