//! Why a request got what it got: its route, who was asking, and the rule that decided, by the policy's own core.

use anyhow::anyhow;
use time::OffsetDateTime;

use crate::cases::Request;
use crate::cases::core::Filled;
use crate::stack::Keys;
use policy_tools::policy::{self, Asker, Document, Question, Setup};

/// Knows a config's routes and policies.
pub struct Explainer(Option<Document>);

impl Explainer {
    /// Of a config as the gateway was given it.
    pub fn of(config: &str) -> Self {
        Self(Document::parse("config".to_owned(), config.to_owned()).ok())
    }

    /// A line for each thing that can be said.
    pub fn explain(&self, request: &Request, keys: &Keys) -> Vec<String> {
        let told = match &self.0 {
            Some(document) => explain(document, request, keys),
            None => Err(anyhow!("the config is no document")),
        };
        told.unwrap_or_else(|why| vec![format!("no explanation: {why:#}")])
    }
}

fn explain(document: &Document, request: &Request, keys: &Keys) -> anyhow::Result<Vec<String>> {
    let filled = Filled::of(request, keys)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let asker = match &filled.established {
        Some(who) => Asker::Consumer { username: who.username.clone(), groups: who.groups.clone() },
        // With the key that the request has, if it has one.
        None => Asker::Nobody,
    };
    let question = Question {
        request: policy::Request {
            method: text(&filled.method),
            host: text(&filled.authority),
            target: text(&request.target.fill(keys, "")?),
            headers: filled.headers.iter().map(|(name, value)| (text(name), text(value))).collect(),
        },
        asker,
        route: None,
        upstream: false,
        now: OffsetDateTime::from_unix_timestamp(filled.now)?,
    };
    let documents = std::slice::from_ref(document);
    let explanation = policy::explain(&Setup::of(documents), &question)?;
    let lines = policy::explanation_text(&explanation);
    Ok(lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
