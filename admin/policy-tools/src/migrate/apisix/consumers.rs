//! APISIX's consumers.

use super::{fields, list, text};
use crate::keys::digest;
use crate::migrate::key::{Missing, written_key};
use crate::migrate::policy::{Consumer, Key};
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::Node;

pub(super) fn read(root: &Node, notes: &mut Notes<'_>) -> Vec<Consumer> {
    let mut consumers = Vec::new();
    for node in list(root, "consumers") {
        let username = text(node, "username");
        let all = fields(node.get("plugins"));
        let refused = "refused from now on";
        let Some((_, key_auth)) = all.iter().find(|(name, _)| *name == "key-auth") else {
            notes.add(Outcome::Stays, node, format!("consumer {username:?}, who has no key"));
            continue;
        };
        let others: Vec<_> = all.iter().map(|(name, _)| *name).filter(|name| *name != "key-auth").collect();
        if !others.is_empty() || node.get("group_id").is_some() {
            let message =
                format!("consumer {username:?} has more than a key ({}): {refused}", others.join(", "));
            notes.cure(
                Outcome::Unmapped,
                node,
                message,
                "put what `harness keys hash` says of the key into the policies by hand",
            );
            continue;
        }
        let key = match written_key(key_auth.get("key"), username) {
            Ok(key) => key,
            Err(Missing { message, help }) => {
                notes.cure(Outcome::Unmapped, key_auth, message, help);
                continue;
            }
        };
        let key = Key { id: "1".to_owned(), sha256: digest(key), not_after: None };
        consumers.push(Consumer { username: username.to_owned(), keys: vec![key], ..Consumer::default() });
        notes.add(Outcome::Mapped, node, format!("consumer {username:?} with a key, by its SHA-256"));
    }
    consumers
}
