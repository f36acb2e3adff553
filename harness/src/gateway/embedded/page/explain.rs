//! A question of the page: what would become of this request? Answered by what `harness policy explain` answers by, of
//! the config that is in force.

use anyhow::{bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use policy_tools::keys::ApiKey;
use policy_tools::policy::{self, Asker, Document, Question, Request, Setup};

/// What was asked. No `Debug`: there may be a key in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    method: String,
    path: String,
    #[serde(default)]
    host: String,
    /// Empty: the one that the request takes.
    #[serde(default)]
    route: String,
    #[serde(default)]
    consumer: String,
    #[serde(default)]
    key: Zeroizing<String>,
}

/// Reads the question out of a body, and nothing of it into an error.
pub(super) fn read(body: &[u8]) -> Option<Asked> {
    serde_json::from_slice(body).ok()
}

/// Whether the request would pass, and why in the words of the command line.
///
/// # Errors
/// The question cannot be put.
pub(super) fn explain(name: &str, text: &str, asked: Asked, now: OffsetDateTime) -> anyhow::Result<Value> {
    let Asked { method, path, host, route, consumer, key } = asked;
    ensure!(consumer.is_empty() || key.is_empty(), "give a consumer or a key, not both");
    let asker = match (consumer.is_empty(), key.is_empty()) {
        (false, _) => Asker::Consumer { username: consumer, groups: Vec::new() },
        (true, false) => match ApiKey::read(key.as_bytes())? {
            Ok(key) => Asker::Key(key),
            Err(_) => bail!("this cannot be an API key: spaces, control characters or letters beyond ASCII"),
        },
        (true, true) => Asker::Nobody,
    };
    // A query may hold a key, and decides nothing but who is asking.
    let target = path.split(['?', '#']).next().unwrap_or_default().to_owned();
    let host = if host.is_empty() { "localhost".to_owned() } else { host };
    let request = Request { method, host, target, headers: Vec::new() };
    let route = Some(route).filter(|route| !route.is_empty());
    let question = Question { request, asker, route, upstream: false, now };
    let Ok(document) = Document::parse(name.to_owned(), text.to_owned()) else {
        bail!("the config cannot be read");
    };
    let documents = [document];
    let explanation = policy::explain(&Setup::of(&documents), &question)?;
    Ok(json!({
        "allowed": explanation.is_allowed(),
        "text": policy::explanation_text(&explanation),
        "explanation": explanation,
    }))
}
