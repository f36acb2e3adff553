//! All that is wrong with policies, and what is hardly meant.

mod certificates;
mod coverage;
mod digests;
mod reach;
mod windows;

use ::consumers_file::Problems;
use mtls_policy::policy::{Host, Policy};
use serde_json::Value;
use time::OffsetDateTime;

pub use certificates::selected;

use super::document::one_line;
use super::locate::locate;
use super::{Document, Finding, Placed, Setup, Severity};
use crate::consumers_file;
use kong_config::document::{Node, Value as Written};

/// What to look for.
pub struct Check {
    pub now: OffsetDateTime,
    /// A key that ends within so many days is told of.
    pub warn_days: u32,
}

/// All findings, in the order of the documents and their lines.
pub fn check<'d>(documents: &'d [Document], setup: &Setup<'d>, check: &Check) -> Vec<Finding<'d>> {
    let mut findings: Vec<_> = documents.iter().flat_map(Document::findings).collect();
    for policy in &setup.policies {
        let before = findings.len();
        findings.extend(mistakes(policy));
        if findings.len() > before {
            continue;
        }
        findings.extend(only_the_plugin(policy));
        findings.extend(windows::look(policy, check));
        findings.extend(reach::look(policy));
        findings.extend(coverage::unknown_names(setup, policy));
        findings.extend(certificates::look(setup, policy));
    }
    findings.extend(coverage::unguarded(setup));
    findings.extend(setup.unread.iter().map(|(document, plugin)| config_in_secret(document, plugin)));
    // One policy may stand in several places, by an alias.
    let mut seen = Vec::new();
    findings.retain(|one| {
        let key = (one.name, one.span.clone(), one.message.clone());
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    findings.sort_by_key(|one| one.span.as_ref().map(|span| span.start));
    findings.sort_by_key(|one| documents.iter().position(|document| document.name == one.name));
    findings
}

/// What the policy's own compiler says. The plugin takes more than the filter does, and where both could be meant is
/// not a mistake.
fn mistakes<'d>(policy: &Placed<'d>) -> Vec<Finding<'d>> {
    let (host, document) = match policy.chained {
        true => (Host::FILTER, Ok(policy.json())),
        false => (Host::PLUGIN, whole(policy)),
    };
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            let finding = |message: String| {
                let span = locate(policy.config, "consumers_file", false);
                let mut finding = Finding::warning("policy", policy.document, span, message);
                finding.severity = Severity::Error;
                finding.at("consumers_file".to_owned())
            };
            return match error.downcast_ref::<Problems>() {
                Some(problems) => {
                    problems.iter().map(|problem| finding(format!("{error}: {problem}"))).collect()
                }
                None => vec![finding(format!("{error:#}"))],
            };
        }
    };
    let Err(problems) = Policy::compile_for(&host, &document) else { return Vec::new() };
    // Also the text of decK's templates, which the compiler has not seen.
    let written = match policy.config.as_str() {
        Some(_) => value(policy),
        None => policy.config.to_json(),
    };
    let finding = |problem: &mtls_policy::policy::Problem| {
        let unknown = ["there is no such field", "unknown field"]
            .iter()
            .any(|words| problem.message.starts_with(words));
        let span = locate(policy.config, &problem.path, unknown);
        let message = complaint(&written, problem);
        let mut finding = Finding::warning("policy", policy.document, span, message);
        finding.severity = Severity::Error;
        finding.at(problem.path.clone())
    };
    problems.iter().map(finding).collect()
}

/// Returns what is wrong with a policy, in the compiler's words, or in better ones where a placeholder stands in the
/// place of a digest.
pub fn complaint(policy: &Value, problem: &mtls_policy::policy::Problem) -> String {
    match digests::placeholder(policy, &problem.path) {
        Some(placeholder) => format!(
            "expected the key's SHA-256 digest as 64 hexadecimal digits, got a placeholder ({placeholder}): check the \
             config in which it has been replaced"
        ),
        None => problem.message.clone(),
    }
}

/// Returns the consumers and groups in a policy's rules that Kong does not know: the path of each, and a message.
pub fn unknown_names(setup: &Setup<'_>, policy: &Placed<'_>) -> Vec<(String, String)> {
    coverage::unknown_names(setup, policy)
        .into_iter()
        .map(|finding| (finding.path, finding.message))
        .collect()
}

/// A part of a KongPlugin that is not in the manifest.
fn config_in_secret<'d>(document: &'d Document, plugin: &'d Node) -> Finding<'d> {
    let field = if plugin.get("configFrom").is_some() { "configFrom" } else { "configPatches" };
    let span = plugin.entry(field).map_or(plugin.span.clone(), |(key, _)| key.span.clone());
    let message = format!("{field} takes the policy, or a part of it, from a Secret, which was not checked");
    let help =
        "write the policy into `config`: it holds digests and no keys; or check the Secret's text by itself";
    Finding::warning("config_in_secret", document, span, message).help(help)
}

/// What the plugin takes and a filter refuses.
fn only_the_plugin<'d>(policy: &Placed<'d>) -> Vec<Finding<'d>> {
    let needs = |field: &str| {
        policy.config.entry(field).filter(|(_, node)| match &node.value {
            Written::Boolean(on) => *on,
            other => !matches!(other, Written::Null),
        })
    };
    let finding = |field: &str| {
        let (key, _) = needs(field)?;
        let message = format!("{field} is for the plugin alone: the filter refuses this policy");
        let finding = Finding::warning("plugin_only", policy.document, key.span.clone(), message);
        Some(finding.at(field.to_owned()).help("docs/kong.md says which of the two a Kong can carry"))
    };
    ["key_in_body", "consumers_file"].into_iter().filter_map(finding).collect()
}

/// A policy's field, where it is written as fields and not as text.
fn field<'d>(policy: &Placed<'d>, name: &str) -> Option<&'d Node> {
    policy.config.get(name)
}

/// A warning about what a path in a policy leads to.
fn warning<'d>(policy: &Placed<'d>, code: &'static str, path: String, message: String) -> Finding<'d> {
    let span = locate(policy.config, &path, false);
    Finding::warning(code, policy.document, one_line(&policy.document.text, span), message).at(path)
}

/// A policy as JSON.
pub(super) fn value(policy: &Placed<'_>) -> Value {
    serde_json::from_slice(&policy.json()).unwrap_or_default()
}

/// Likewise, with the consumers of its consumers file where that is on this machine, as the gateway's it may not be.
///
/// # Errors
/// The file is here and cannot be used.
pub fn whole(policy: &Placed<'_>) -> anyhow::Result<Vec<u8>> {
    match consumers_file::named(&value(policy)) {
        Some(path) if path.exists() => consumers_file::put_into(policy.json()),
        _ => Ok(policy.json()),
    }
}
