//! What comes out.

use std::fmt;

use time::OffsetDateTime;

use super::Report;
use crate::policy::{Check, Document, Setup, Severity, check, text, written};
use kong_config::document::{Node, Value};
use pki::Access;

/// A config that comes out, and what has become of the old one. No `Debug`: it may hold private keys.
pub struct Migration {
    /// Kong's declarative config, YAML; absent where none could be as closed as the old one.
    pub config: Option<String>,
    /// Where in it a secret stands, if anywhere: such a config is for nobody's eyes.
    pub secret: Option<String>,
    /// What the config names and the old one had within.
    pub files: Vec<File>,
    pub report: Report,
}

/// A file that has to be written. No `Debug`: it may be a private key.
pub struct File {
    pub name: String,
    pub content: String,
    pub access: Access,
}

/// Nothing comes out.
#[derive(Debug)]
pub enum Refused {
    /// There is nothing to be mapped, or not all of it.
    Unusable(String),
    /// What would come out is no valid config: what its check says.
    Invalid(String),
}

impl Migration {
    /// # Errors
    /// The config that has been put together is not valid.
    pub(super) fn of(config: &Node, report: Report) -> Result<Self, Refused> {
        let secret = secret(config, String::new());
        let config = written(config);
        let document = Document::parse("the new config".to_owned(), config.clone())
            .map_err(|unread| Refused::Invalid(text(&unread.findings())))?;
        let documents = [document];
        let setup = Setup::of(&documents);
        let look = Check { now: OffsetDateTime::now_utc(), warn_days: 0 };
        let mut findings = check(&documents, &setup, &look);
        findings.retain(|finding| finding.severity == Severity::Error);
        match findings.is_empty() {
            true => Ok(Self { config: Some(config), secret, files: Vec::new(), report }),
            false => Err(Refused::Invalid(text(&findings))),
        }
    }
}

/// The first value that nobody is to see.
fn secret(node: &Node, path: String) -> Option<String> {
    match &node.value {
        Value::String(text) if text.contains("PRIVATE KEY-----") => Some(path),
        Value::List(items) => {
            items.iter().enumerate().find_map(|(number, item)| secret(item, format!("{path}[{number}]")))
        }
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", key.name);
            let named = SECRETS.contains(&key.name.as_str());
            match value.as_str() {
                Some(text) if named && !text.starts_with("{vault://") && !text.starts_with("${{") => {
                    Some(path)
                }
                _ => secret(value, path),
            }
        }),
        _ => None,
    }
}

/// Fields of Kong's entities and plugins that hold credentials.
const SECRETS: [&str; 7] = ["apikey", "api_key", "client_secret", "key", "password", "secret", "token"];

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(what) => f.write_str(what),
            Self::Invalid(findings) => write!(f, "what would come out is no valid config:\n{findings}"),
        }
    }
}

impl std::error::Error for Refused {}
