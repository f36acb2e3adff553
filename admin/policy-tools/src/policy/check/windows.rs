//! Keys that end soon, or have ended.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{Check, value, warning};
use crate::policy::{Finding, Placed};

pub(super) fn look<'d>(policy: &Placed<'d>, check: &Check) -> Vec<Finding<'d>> {
    let policy_value = value(policy);
    let mut findings = Vec::new();
    for (number, consumer) in list(&policy_value, "consumers").iter().enumerate() {
        let who = consumer["username"].as_str().unwrap_or_default();
        for (at, key) in list(consumer, "keys").iter().enumerate() {
            let Some(end) = key["not_after"].as_str() else { continue };
            let Ok(ends) = OffsetDateTime::parse(end, &Rfc3339) else { continue };
            let id = key["id"].as_str().unwrap_or_default();
            let left = ends - check.now;
            let (code, message, help) = if left.is_negative() {
                let ago = days(-left);
                (
                    "key_expired",
                    format!("key {id:?} of {who:?} has expired {ago} ago"),
                    "take it out".to_owned(),
                )
            } else if left < Duration::days(check.warn_days.into()) {
                let help = format!("`harness keys rotate --consumer {who}` adds its successor");
                ("key_expires", format!("key {id:?} of {who:?} expires in {}", days(left)), help)
            } else {
                continue;
            };
            let path = format!("consumers[{number}].keys[{at}].not_after");
            findings.push(warning(policy, code, path, message).help(help));
        }
    }
    findings
}

fn list<'v>(value: &'v serde_json::Value, field: &str) -> &'v [serde_json::Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn days(length: Duration) -> String {
    match length.whole_days() {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
