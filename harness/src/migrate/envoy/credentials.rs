//! Who has which key, for Envoy.

use super::text;
use crate::document::Node;
use crate::migrate::policy::{Consumer, Key};
use crate::migrate::report::{Notes, Outcome};
use crate::stack::digest;

/// A client of several keys is one consumer.
pub(super) fn read(list: Option<&Node>, notes: &mut Notes<'_>) -> Vec<Consumer> {
    let mut consumers: Vec<Consumer> = Vec::new();
    for credential in list.map(Node::items).unwrap_or_default() {
        let (client, key) = (text(credential, "client"), text(credential, "key"));
        if client.is_empty() || key.is_empty() {
            let message = "a key that is not here itself, or nobody's: its holder is refused from now on";
            notes.cure(
                Outcome::Unmapped,
                credential,
                message,
                "put what `harness keys hash` says of it into the policy",
            );
            continue;
        }
        let index = consumers.iter().position(|one| one.username == client).unwrap_or_else(|| {
            consumers.push(Consumer { username: client.to_owned(), ..Consumer::default() });
            consumers.len() - 1
        });
        let keys = &mut consumers[index].keys;
        keys.push(Key { id: (keys.len() + 1).to_string(), sha256: digest(key), not_after: None });
        notes.add(Outcome::Mapped, credential, format!("consumer {client:?} with a key, by its SHA-256"));
    }
    consumers
}
