//! API keys as the old configurations hold them.

use crate::keys::Placeholder;
use kong_config::document::Node;

/// A key that cannot be migrated, for the report.
pub(super) struct Missing {
    pub(super) message: String,
    /// What the administrator does about it.
    pub(super) help: &'static str,
}

/// Returns the key that a credential holds.
///
/// # Errors
/// The credential holds no key, or a placeholder or reference instead of it. The digest of a placeholder would make the
/// placeholder itself a valid key.
pub(super) fn written_key<'d>(node: Option<&'d Node>, consumer: &str) -> Result<&'d str, Missing> {
    let missing = |what: &str, help| Missing {
        message: format!("{what} of {consumer:?}: requests with this key are rejected from now on"),
        help,
    };
    let Some(key) = node.and_then(Node::as_str).filter(|key| !key.is_empty()) else {
        return Err(missing("no key is written in a credential", HASH));
    };
    match Placeholder::find(key) {
        None => Ok(key),
        Some(placeholder) => {
            Err(missing(&format!("a placeholder ({placeholder}) is written instead of a key"), RENDER))
        }
    }
}

const HASH: &str = "add the output of `harness keys hash` for this key to the policies' consumers";
const RENDER: &str = "migrate the rendered config; or add the output of `harness keys hash` for this key to the policies' \
                      consumers (with --literal, if this text is the key itself)";
