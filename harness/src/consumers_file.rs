//! A policy's consumers file, read as the native plugin reads it, for what has only policies.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mtls_policy::policy::Consumers;
use serde_json::Value;

use crate::document::{Report, parse, visible};
use crate::policy::complaint;
use crate::regular;

/// The file that a policy names. One with consumers of its own beside it is a mistake, which compiling the policy tells,
/// and so is a path that is not absolute.
pub fn named(policy: &Value) -> Option<PathBuf> {
    let path = Path::new(policy["consumers_file"].as_str()?);
    (path.is_absolute() && policy.get("consumers").is_none_or(Value::is_null)).then(|| path.to_owned())
}

/// The consumers in a file.
///
/// # Errors
/// It cannot be read, or all that is wrong with it.
pub fn read(path: &Path) -> anyhow::Result<Value> {
    let within = || format!("consumers_file {}", path.display());
    let text = regular::text(path).with_context(within)?;
    let report = Report::new(None);
    let node = parse(&text, &report);
    let mut document = report.conclude(node).with_context(within)?.to_json();
    if let Err(problems) = Consumers::compile(document.to_string().as_bytes()) {
        let told = problems.iter().map(|problem| match problem.path.as_str() {
            "" => complaint(&document, problem),
            path => format!("{}: {}", visible(path), complaint(&document, problem)),
        });
        let told: Vec<_> = told.collect();
        return Err(anyhow::anyhow!("{}", told.join("\n")).context(within()));
    }
    Ok(document["consumers"].take())
}

/// A policy with consumers in the place of the file's name.
pub fn put(consumers: Value, mut policy: Value) -> Value {
    if let Some(fields) = policy.as_object_mut() {
        fields.remove("consumers_file");
        fields.insert("consumers".to_owned(), consumers);
    }
    policy
}

/// A policy, as JSON, with the consumers of its file, if it names one; else as it is, byte for byte.
///
/// # Errors
/// As [`read`].
pub fn put_into(policy: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    // What is no JSON names none.
    let parsed = serde_json::from_slice(&policy).unwrap_or_default();
    match named(&parsed) {
        Some(path) => Ok(put(read(&path)?, parsed).to_string().into_bytes()),
        None => Ok(policy),
    }
}
