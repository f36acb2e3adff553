//! The only way to a [`Policy`]: every check is made here, so that none is left for a request.

mod consumers;
mod rules;
mod shared;

use std::collections::BTreeSet;
use std::fmt::Display;

use serde_json::value::RawValue;

use super::config::{Authentication, Config};
use super::credential::Places;
use super::decide::{Asks, Keys, Policy};
use super::decision::CertificateName;
use super::problem::{Problem, Problems};
use super::read;
use rules::Known;

impl Policy {
    /// Compiles a JSON document.
    ///
    /// # Errors
    /// All that is wrong with it, each with its path.
    pub fn compile(document: &[u8]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let (config, consumers) = read::config(document, &mut problems);
        let policy = Compiler { problems: &mut problems }.policy(config, consumers);
        if problems.is_empty() { Ok(policy) } else { Err(Problems(problems)) }
    }
}

/// Turns what was written into what is looked up, and notes all that cannot be.
struct Compiler<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Compiler<'_> {
    /// `written`: the consumers, which `config` is without.
    fn policy(&mut self, config: Config, written: Option<Vec<&RawValue>>) -> Policy {
        // Without `..`, so that a new field cannot be forgotten here.
        let Config {
            authentication,
            key_names,
            key_in_header,
            key_in_query,
            hide_credentials,
            run_on_preflight,
            realm,
            anonymous,
            consumers: _,
            client_certificate,
            rules,
        } = config;
        let authentication = authentication.unwrap_or(Authentication::ApiKey);
        let keyring = self.keyring(written.as_deref().unwrap_or_default());
        // Without rules nobody is named, and there may be very many.
        let nameable = if rules.is_empty() { &[] } else { keyring.consumers() };
        let known = Known::of(nameable, anonymous.as_deref(), authentication);
        let rules = self.rules(client_certificate, rules, &known);
        let asks = match authentication {
            Authentication::Gateway => {
                let meaningless = [
                    ("key_names", key_names.is_some()),
                    ("key_in_header", key_in_header.is_some()),
                    ("key_in_query", key_in_query.is_some()),
                    ("hide_credentials", hide_credentials.is_some()),
                    ("run_on_preflight", run_on_preflight.is_some()),
                    ("realm", realm.is_some()),
                    ("anonymous", anonymous.is_some()),
                    ("consumers", written.is_some_and(|consumers| !consumers.is_empty())),
                ];
                for (field, _) in meaningless.into_iter().filter(|(_, there)| *there) {
                    self.refuse(field, "has no meaning with authentication: gateway; leave it out");
                }
                Asks::Gateway
            }
            Authentication::ApiKey => {
                let places = self.places(key_names, key_in_header, key_in_query);
                let anonymous = anonymous.map(|name| self.anonymous(name, keyring.consumers()));
                if let Some(realm) = &realm {
                    self.header_text("realm", realm);
                }
                Asks::Keys(Box::new(Keys {
                    places,
                    hide: hide_credentials.unwrap_or(false),
                    preflight_passes: !run_on_preflight.unwrap_or(true),
                    challenge: realm.map_or("Key".into(), |realm| format!("Key realm=\"{realm}\"").into()),
                    anonymous,
                    keyring,
                }))
            }
        };
        Policy::new(asks, rules)
    }

    fn places(&mut self, names: Option<Vec<String>>, header: Option<bool>, query: Option<bool>) -> Places {
        let names = names.unwrap_or_else(|| vec!["apikey".to_owned()]);
        if names.is_empty() {
            self.refuse("key_names", "is empty; leave it out for [apikey]");
        }
        let mut seen = BTreeSet::new();
        for (at, name) in names.iter().enumerate() {
            let path = format!("key_names[{at}]");
            if !is_token(name) {
                self.refuse(
                    &path,
                    format!("{name:?} is no header name: letters, digits and !#$%&'*+-.^_`|~"),
                );
            } else if !seen.insert(name.to_ascii_lowercase()) {
                self.refuse(&path, format!("{name:?} is there twice"));
            }
        }
        let (in_header, in_query) = (header.unwrap_or(true), query.unwrap_or(true));
        if !in_header && !in_query {
            self.refuse("key_in_query", "with key_in_header off too, a key could be nowhere");
        }
        Places { names: boxed(names), in_header, in_query }
    }

    fn certificate(&mut self, at: &str, name: &str) -> Option<CertificateName> {
        let parsed = CertificateName::parse(name);
        if parsed.is_none() {
            let message = format!("{name:?} cannot be a certificate's name: 1 to 128 of A-Z a-z 0-9 . _ -");
            self.refuse(at, message);
        }
        parsed
    }

    /// What goes into a header has to be there, visible, and of one line.
    fn header_text(&mut self, at: &str, text: &str) {
        // An empty one that is required has been missed already.
        if text.contains(|c: char| c.is_control() || c == '"') || text.trim() != text {
            self.refuse(
                at,
                format!("{text:?} cannot go into a header: control characters, quotes or outer spaces"),
            );
        }
    }

    fn refuse(&mut self, path: &str, message: impl Display) {
        self.problems.push(Problem { path: path.to_owned(), message: message.to_string() });
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn boxed(strings: impl IntoIterator<Item = String>) -> Box<[Box<str>]> {
    strings.into_iter().map(String::into_boxed_str).collect()
}
