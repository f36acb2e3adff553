//! Placeholders in the place of digests.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::keys::Placeholder;

/// Returns the syntax of the placeholder that stands at the path of a key's digest, if one does.
pub(super) fn placeholder(policy: &Value, path: &str) -> Option<Placeholder> {
    let found = DIGEST.captures(path)?;
    let index = |group| found.get(group)?.as_str().parse::<usize>().ok();
    Placeholder::find(policy["consumers"][index(1)?]["keys"][index(2)?]["sha256"].as_str()?)
}

#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static DIGEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^consumers\[(\d+)\]\.keys\[(\d+)\]\.sha256$").expect("a pattern"));
