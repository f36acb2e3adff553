//! The only way to a [`Policy`]: every check is made here, so that none is left for a request.

mod consumers;
mod host;
mod places;
mod rules;
mod shared;

use std::fmt::Display;

use serde_json::value::RawValue;

use super::config::{Authentication, Config};
use super::decide::{Asks, Keys, Policy};
use super::decision::CertificateName;
use super::problem::{Problem, Problems};
use super::read;
use rules::Known;

pub use consumers::{Consumers, MOST_PROBLEMS};
pub use host::{ConsumersFile, Host};

impl Policy {
    /// Compiles a JSON document for a host that only hands over requests, as a filter's does.
    ///
    /// # Errors
    /// All that is wrong with it, each with its path.
    pub fn compile(document: &[u8]) -> Result<Self, Problems> {
        Self::compile_for(&Host::FILTER, document)
    }

    /// Compiles a JSON document for a host that may do more.
    ///
    /// # Errors
    /// All that is wrong with it, each with its path.
    pub fn compile_for(host: &Host<'_>, document: &[u8]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let (config, consumers) = read::config(document, &mut problems);
        let policy = Compiler { problems: &mut problems }.policy(host, config, consumers);
        if problems.is_empty() { Ok(policy) } else { Err(Problems(problems)) }
    }
}

/// Turns what was written into what is looked up, and notes all that cannot be.
struct Compiler<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Compiler<'_> {
    /// `written`: the consumers, which `config` is without.
    fn policy(&mut self, host: &Host<'_>, config: Config, written: Option<Vec<&RawValue>>) -> Policy {
        // Without `..`, so that a new field cannot be forgotten here.
        let Config {
            authentication,
            key_names,
            key_in_header,
            key_in_query,
            key_in_body,
            key_authorization,
            key_cookies,
            hide_credentials,
            run_on_preflight,
            realm,
            anonymous,
            consumers: _,
            consumers_file,
            client_certificate,
            rules,
        } = config;
        let authentication = authentication.unwrap_or(Authentication::ApiKey);
        self.host(host, key_in_body, consumers_file.as_deref());
        let from_file = consumers_file.as_ref().map(|_| host.consumers_file);
        let own = self.consumers(written.as_deref().unwrap_or_default());
        let known = match rules.is_empty() {
            // Nobody is named, and there may be very many.
            true => Known::NOTHING,
            false => Known::of(own.all(), from_file, anonymous.as_deref(), authentication),
        };
        let rules = self.rules(client_certificate, rules, &known);
        let asks = match authentication {
            Authentication::Gateway => {
                let meaningless = [
                    ("key_names", key_names.is_some()),
                    ("key_in_header", key_in_header.is_some()),
                    ("key_in_query", key_in_query.is_some()),
                    ("key_in_body", key_in_body.is_some()),
                    ("key_authorization", key_authorization.is_some()),
                    ("key_cookies", key_cookies.is_some()),
                    ("hide_credentials", hide_credentials.is_some()),
                    ("run_on_preflight", run_on_preflight.is_some()),
                    ("realm", realm.is_some()),
                    ("anonymous", anonymous.is_some()),
                    ("consumers", !own.all().is_empty()),
                    ("consumers_file", consumers_file.is_some()),
                ];
                for (field, _) in meaningless.into_iter().filter(|(_, there)| *there) {
                    self.refuse(field, "has no meaning with authentication: gateway; leave it out");
                }
                Asks::Gateway
            }
            Authentication::ApiKey => {
                let of_names = [key_in_header, key_in_query, key_in_body];
                let places = self.places(key_names, of_names, key_authorization, key_cookies);
                if consumers_file.is_some() && !own.all().is_empty() {
                    self.refuse("consumers_file", "is there beside consumers; leave one out");
                }
                let consumers = match from_file {
                    Some(ConsumersFile::Read(consumers)) => consumers,
                    _ => &own,
                };
                let anonymous = anonymous.map(|name| self.anonymous(name, consumers));
                let keyring = consumers.keyring();
                if let Some(realm) = &realm {
                    self.header_text("realm", realm);
                }
                // What a client can answer to (RFC 9110, section 11.6.1); key-auth's own word where it cannot.
                let scheme = places.authorization.as_deref().unwrap_or("Key");
                let challenge = match realm {
                    Some(realm) => format!("{scheme} realm=\"{realm}\"").into(),
                    None => scheme.into(),
                };
                Asks::Keys(Box::new(Keys {
                    places,
                    hide: hide_credentials.unwrap_or(false),
                    preflight_passes: !run_on_preflight.unwrap_or(true),
                    challenge,
                    anonymous,
                    keyring,
                }))
            }
        };
        Policy::new(asks, rules)
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
