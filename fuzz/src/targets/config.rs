//! Kong's declarative config, as the embedded gateway and Envoy's driver read it.

use std::collections::BTreeSet;

use kong_config::declarative::parse;

/// Bytes as a config file.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let filters = BTreeSet::from(["mtls-policy".to_owned()]);
    if let Err(problems) = parse(text, "kong.yml", &filters) {
        let told = problems.to_string();
        assert!(!told.is_empty(), "refused without a reason");
        assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "a control character in {told:?}");
    }
}
