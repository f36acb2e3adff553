//! Who has which key, for Envoy.

use super::text;
use crate::keys::digest;
use crate::migrate::key::{Missing, written_key};
use crate::migrate::policy::{Consumer, Key};
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::Node;

/// A client of several keys is one consumer.
pub(super) fn read(list: Option<&Node>, notes: &mut Notes<'_>) -> Vec<Consumer> {
    let mut consumers: Vec<Consumer> = Vec::new();
    for credential in list.map(Node::items).unwrap_or_default() {
        let client = text(credential, "client");
        if client.is_empty() {
            let message = "a key without a client: requests with this key are rejected from now on";
            notes.cure(Outcome::Unmapped, credential, message, "name its client in the old config first");
            continue;
        }
        let key = match written_key(credential.get("key"), client) {
            Ok(key) => key,
            Err(Missing { message, help }) => {
                notes.cure(Outcome::Unmapped, credential, message, help);
                continue;
            }
        };
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
