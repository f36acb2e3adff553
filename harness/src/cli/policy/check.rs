//! `harness policy check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use crate::cli::{No, Usage, print};
use policy_tools::policy::{self, Check, Finding, Setup, Severity};

/// What was typed.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Typed {
    /// Policies, or configs that hold some
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Warn of keys that end within so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    warn_days: u32,
    /// Exit with 0 where there are warnings only
    #[arg(long)]
    allow_warnings: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "FILE is a policy (YAML or JSON), Kong's declarative config, decK's, Kubernetes manifests with \
KongPlugins (several documents, or what kubectl get writes), or what a running Kong's Admin API tells (GET /config; \
/plugins, /routes and /services together); `-` is stdin.

Errors are those of the filter's own compiler. Warnings: rules that are never reached, keys that end soon, names that \
nobody has, client certificates that upstream-mtls does not hold, routes past a policy.

Examples:
  harness policy check kong.yml
  harness policy check plugins.json routes.json services.json
  curl -s http://127.0.0.1:8001/config | harness policy check -
  kubectl get kongplugins,kongclusterplugins --all-namespaces -o json | harness policy check -

Exit codes: 0 nothing to say; 1 errors, or warnings without --allow-warnings; 2 could not ask.";

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { files, warn_days, allow_warnings, json } = typed;
    match policy::read(&files).map_err(|error| Usage(vec![format!("{error:#}")]))? {
        Err(unread) => tell(&unread.findings(), 0, allow_warnings, json),
        Ok(documents) => {
            let setup = Setup::of(&documents);
            if setup.policies.is_empty() && setup.unread.is_empty() {
                return Err(Usage(vec!["no mtls-policy is in there: give a policy, or a config with a plugin or filter of that name".to_owned()]).into());
            }
            let look = Check { now: OffsetDateTime::now_utc(), warn_days };
            tell(&policy::check(&documents, &setup, &look), setup.policies.len(), allow_warnings, json)
        }
    }
}

fn tell(findings: &[Finding<'_>], policies: usize, allow_warnings: bool, json: bool) -> anyhow::Result<()> {
    let of = |severity| findings.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if json {
        let findings = policy::json(findings);
        let document =
            json!({ "policies": policies, "errors": errors, "warnings": warnings, "findings": findings });
        print(&(serde_json::to_string_pretty(&document)? + "\n"))?;
    } else {
        print(&policy::text(findings))?;
        if findings.is_empty() {
            print(&format!("{}: nothing to say\n", many(policies, "policy", "policies")))?;
        }
    }
    if errors + if allow_warnings { 0 } else { warnings } > 0 {
        let said = format!("{}, {}", many(errors, "error", "errors"), many(warnings, "warning", "warnings"));
        return Err(No(said).into());
    }
    Ok(())
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
