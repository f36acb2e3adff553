//! A policy's consumers file, put into the policy, for what has only policies.

use std::path::{Path, PathBuf};

use ::consumers_file::Content;
use anyhow::Context;
use serde_json::Value;

/// The file that a policy names. One with consumers of its own beside it is a mistake, which compiling the policy tells,
/// and so is a path that is not absolute.
pub fn named(policy: &Value) -> Option<PathBuf> {
    let path = Path::new(policy["consumers_file"].as_str()?);
    (path.is_absolute() && policy.get("consumers").is_none_or(Value::is_null)).then(|| path.to_owned())
}

/// Reads the consumers of a file, as the native plugin does.
///
/// # Errors
/// It cannot be read, or all that is wrong with it: [`Problems`](::consumers_file::Problems).
pub fn read(path: &Path) -> anyhow::Result<Value> {
    let content = Content::load(path).with_context(|| within(path))?;
    parse(path, &content)
}

/// Parses what was read of a file.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, content: &Content) -> anyhow::Result<Value> {
    let consumers = content.configs().with_context(|| within(path))?;
    serde_json::to_value(consumers).with_context(|| within(path))
}

fn within(path: &Path) -> String {
    format!("consumers_file {}", path.display())
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
