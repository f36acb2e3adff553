//! The fast path: JSON without problems.
//!
//! What is wrong with a JSON file is found by the YAML reader: JSON is YAML, and that reader has positions.

use mtls_policy::policy::{ConsumerConfig, KeyConfig};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// A JSON document whose consumers are not read yet: there may be very many, so that they are read one at a time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document<'t> {
    #[serde(borrow)]
    consumers: Vec<&'t RawValue>,
}

/// As in a policy a field that is null is absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consumer {
    username: String,
    id: Option<String>,
    custom_id: Option<String>,
    groups: Option<Vec<String>>,
    keys: Option<Vec<KeyConfig>>,
}

impl<'t> Document<'t> {
    /// Returns `None` for anything but a JSON object with a list of consumers.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the consumers one by one, and `None` in the place of one that has a problem.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = Option<ConsumerConfig>> {
        self.consumers.iter().map(|written| {
            let Consumer { username, id, custom_id, groups, keys } =
                serde_json::from_str(written.get()).ok()?;
            let consumer = ConsumerConfig {
                username,
                id,
                custom_id,
                groups: groups.unwrap_or_default(),
                keys: keys.unwrap_or_default(),
            };
            has_no_empty_text(&consumer).then_some(consumer)
        })
    }
}

/// Why a text is not JSON, or `None` if it is.
pub(crate) fn syntax_error(text: &str) -> Option<serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text).err()
}

/// How deep lists and maps are nested in a JSON text.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_string => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn has_no_empty_text(consumer: &ConsumerConfig) -> bool {
    let ConsumerConfig { username, id, custom_id, groups: _, keys } = consumer;
    let is_absent_or_given = |text: &Option<String>| text.as_deref() != Some("");
    let is_complete = |KeyConfig { id, sha256, not_before, not_after }: &KeyConfig| {
        !id.is_empty()
            && !sha256.is_empty()
            && is_absent_or_given(not_before)
            && is_absent_or_given(not_after)
    };
    !username.is_empty()
        && is_absent_or_given(id)
        && is_absent_or_given(custom_id)
        && keys.iter().all(is_complete)
}
