//! The only way to a [`Policy`]: every check is made here, so that none is left for a request.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::config::{self, Authentication, Config};
use super::credential::{Places, Unfound};
use super::decision::{Allow, Caller, Certificate, CertificateName, Decision};
use super::identity::Edits;
use super::keyring::{Absent, Consumer, Digest, Key, Keyring};
use super::problem::{Problem, Problems, did_you_mean};
use super::refusal::{Reason, Refusal};
use super::request::Request;
use super::rules::{FORBIDDEN, Outcome, Rule, Rules};
use super::{path, read};

/// A policy in force: what a request is held against. It only looks up; nothing of it can be wrong any more.
pub struct Policy {
    asks: Asks,
    rules: Rules,
}

/// Who says who is asking.
enum Asks {
    Gateway,
    Keys(Box<Keys>),
}

/// Authentication by API key.
struct Keys {
    places: Places,
    hide: bool,
    preflight_passes: bool,
    challenge: Box<str>,
    anonymous: Option<u32>,
    consumers: Box<[Consumer]>,
    keyring: Keyring,
}

impl Policy {
    /// Compiles a JSON document.
    ///
    /// # Errors
    /// All that is wrong with it, each with its path.
    pub fn compile(document: &[u8]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let config = read::config(document, &mut problems);
        let policy = Compiler { problems: &mut problems }.policy(config);
        if problems.is_empty() { Ok(policy) } else { Err(Problems(problems)) }
    }

    /// Whether the gateway's own authentication is to say who is asking.
    pub fn asks_the_gateway(&self) -> bool {
        matches!(self.asks, Asks::Gateway)
    }

    /// What becomes of a request.
    pub fn decide<'a>(&'a self, request: &'a Request<'a>) -> Decision<'a> {
        match self.allow(request) {
            Ok(allow) => Decision::Allow(allow),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    fn allow<'a>(&'a self, request: &'a Request<'a>) -> Result<Allow<'a>, Refusal<'a>> {
        let (caller, hidden) = match &self.asks {
            Asks::Gateway => (established(request)?, None),
            Asks::Keys(keys) => (keys.caller(request)?, keys.hide.then_some(&keys.places)),
        };
        let certificate: Certificate<'a> = self.rules.select(&caller, request)?;
        Ok(Allow { caller, certificate, edits: Edits::of(&caller, request, hidden) })
    }
}

impl Keys {
    fn caller<'a>(&'a self, request: &Request<'_>) -> Result<Caller<'a>, Refusal<'a>> {
        if self.preflight_passes && request.method == b"OPTIONS" {
            return Ok(Caller::Nobody);
        }
        match (self.authenticate(request), self.anonymous) {
            (Ok(caller), _) => Ok(caller),
            (Err(_), Some(anonymous)) => Ok(Caller::Anonymous(&self.consumers[anonymous as usize])),
            (Err((message, reason)), None) => {
                Err(Refusal { status: 401, message, challenge: Some(&self.challenge), reason })
            }
        }
    }

    fn authenticate<'a>(&'a self, request: &Request<'_>) -> Result<Caller<'a>, (&'static str, Reason<'a>)> {
        let key = self.places.find(request).map_err(|unfound| match unfound {
            Unfound::Duplicate => ("Duplicate API key found", Reason::DuplicateKey),
            Unfound::Missing => (NO_KEY, Reason::NoKey),
        })?;
        let named = |consumer: u32| &self.consumers[consumer as usize];
        match self.keyring.find(&Digest::of(&key), request.now) {
            Ok((consumer, key)) => Ok(Caller::Consumer(named(consumer), key)),
            Err(absent) => {
                let reason = match absent {
                    Absent::Expired(consumer, key) => {
                        Reason::ExpiredKey { consumer: &named(consumer).username, key: &key.id }
                    }
                    Absent::NotYetValid(consumer, key) => {
                        Reason::NotYetValidKey { consumer: &named(consumer).username, key: &key.id }
                    }
                    Absent::Unknown => Reason::UnknownKey,
                };
                Err(("Unauthorized", reason))
            }
        }
    }
}

fn established<'a>(request: &'a Request<'a>) -> Result<Caller<'a>, Refusal<'a>> {
    let established = request.established.as_ref();
    match established.filter(|consumer| consumer.id.is_some() || consumer.username.is_some()) {
        Some(consumer) => Ok(Caller::Established(consumer)),
        None => {
            Err(Refusal { status: 401, message: NO_KEY, challenge: Some("Key"), reason: Reason::NoConsumer })
        }
    }
}

/// Turns what was written into what is looked up, and notes all that cannot be.
struct Compiler<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Compiler<'_> {
    fn policy(&mut self, config: Config) -> Policy {
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
            consumers,
            client_certificate,
            rules,
        } = config;
        let authentication = authentication.unwrap_or(Authentication::ApiKey);
        let known = Known::of(&consumers, anonymous.as_deref(), authentication);
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
                    ("consumers", !consumers.is_empty()),
                ];
                for (field, _) in meaningless.into_iter().filter(|(_, there)| *there) {
                    self.refuse(field, "has no meaning with authentication: gateway; leave it out");
                }
                Asks::Gateway
            }
            Authentication::ApiKey => {
                let places = self.places(key_names, key_in_header, key_in_query);
                let (mut consumers, keyring) = self.consumers(consumers);
                let anonymous = anonymous.map(|name| self.anonymous(name, &mut consumers));
                if let Some(realm) = &realm {
                    self.header_text("realm", realm);
                }
                Asks::Keys(Box::new(Keys {
                    places,
                    hide: hide_credentials.unwrap_or(false),
                    preflight_passes: !run_on_preflight.unwrap_or(true),
                    challenge: realm.map_or("Key".into(), |realm| format!("Key realm=\"{realm}\"").into()),
                    anonymous,
                    consumers: consumers.into(),
                    keyring,
                }))
            }
        };
        Policy { asks, rules }
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

    fn consumers(&mut self, written: Vec<config::Consumer>) -> (Vec<Consumer>, Keyring) {
        let mut keyring = Keyring::default();
        let mut by_name = HashMap::new();
        let mut consumers: Vec<Consumer> = Vec::with_capacity(written.len());
        for (number, consumer) in written.into_iter().enumerate() {
            let config::Consumer { username, id, custom_id, groups, keys } = consumer;
            let at = format!("consumers[{number}]");
            if let Some(first) = by_name.insert(username.clone(), number) {
                self.refuse(&format!("{at}.username"), format!("{username:?} is consumers[{first}] already"));
            }
            for (field, text) in
                [("username", Some(&username)), ("id", id.as_ref()), ("custom_id", custom_id.as_ref())]
            {
                text.into_iter().for_each(|text| self.header_text(&format!("{at}.{field}"), text));
            }
            self.groups(&at, &groups);
            consumers.push(Consumer {
                username: username.into(),
                id: id.map(Into::into),
                custom_id: custom_id.map(Into::into),
                groups: boxed(groups),
            });
            self.keys(&at, keys, number, &consumers, &mut keyring);
        }
        (consumers, keyring)
    }

    fn groups(&mut self, consumer: &str, groups: &[String]) {
        for (at, group) in groups.iter().enumerate() {
            let path = format!("{consumer}.groups[{at}]");
            // A host hands over the groups of an established consumer one a line.
            if group.is_empty() || group.contains(char::is_control) {
                self.refuse(&path, "is empty or holds control characters");
            } else if groups[..at].contains(group) {
                self.refuse(&path, format!("{group:?} is there twice"));
            }
        }
    }

    fn keys(
        &mut self,
        consumer: &str,
        written: Vec<config::Key>,
        number: usize,
        consumers: &[Consumer],
        keyring: &mut Keyring,
    ) {
        let mut ids = BTreeSet::new();
        for (at, key) in written.into_iter().enumerate() {
            let config::Key { id, sha256, not_before, not_after } = key;
            let path = format!("{consumer}.keys[{at}]");
            self.header_text(&format!("{path}.id"), &id);
            if !id.is_empty() && !ids.insert(id.clone()) {
                self.refuse(&format!("{path}.id"), format!("{id:?} is there twice"));
            }
            let not_before = self.time(&format!("{path}.not_before"), not_before, i64::MIN);
            let not_after = self.time(&format!("{path}.not_after"), not_after, i64::MAX);
            if not_before > not_after {
                self.refuse(&format!("{path}.not_after"), "is before not_before");
            }
            let Some(digest) = Digest::parse(&sha256) else {
                // Not what it is: somebody may have written the key itself.
                if !sha256.is_empty() {
                    let message = "has to be the key's SHA-256 as 64 hexadecimal digits";
                    self.refuse(&format!("{path}.sha256"), message);
                }
                continue;
            };
            let key = Key { id: id.into(), not_before, not_after };
            if let Err(other) = keyring.add(digest, u32::try_from(number).unwrap_or(u32::MAX), key) {
                let name = |number: usize| consumers.get(number).map_or("", |consumer| &consumer.username);
                let (one, other) = (name(number), name(other as usize));
                let message = format!("{one:?} and {other:?} have the same key; each needs one of its own");
                self.refuse(&format!("{path}.sha256"), message);
            }
        }
    }

    fn time(&mut self, path: &str, written: Option<String>, absent: i64) -> i64 {
        let Some(written) = written else { return absent };
        match OffsetDateTime::parse(&written, &Rfc3339) {
            Ok(time) => time.unix_timestamp(),
            Err(_) => {
                self.refuse(path, format!("{written:?} is no RFC 3339 time, such as 2027-01-15T00:00:00Z"));
                absent
            }
        }
    }

    /// One of the consumers, or somebody who has nothing but a name.
    fn anonymous(&mut self, name: String, consumers: &mut Vec<Consumer>) -> u32 {
        self.header_text("anonymous", &name);
        let number = consumers.iter().position(|consumer| *consumer.username == *name).unwrap_or_else(|| {
            consumers.push(Consumer { username: name.into(), id: None, custom_id: None, groups: [].into() });
            consumers.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn rules(&mut self, default: Option<String>, written: Vec<config::Rule>, known: &Known) -> Rules {
        let default = default.and_then(|name| self.certificate("client_certificate", &name));
        let mut everything = None;
        let mut rules = Vec::with_capacity(written.len());
        for (number, rule) in written.into_iter().enumerate() {
            let at = format!("rules[{number}]");
            if let Some(before) = everything {
                self.refuse(&at, format!("is never reached: rules[{before}] matches every request"));
            }
            if is_empty(&rule.r#match) {
                everything = everything.or(Some(number));
            }
            rules.push(self.rule(&at, rule, known));
        }
        let look_at_paths = rules.iter().any(|rule| rule.path_prefix.is_some());
        Rules { rules: rules.into(), default, look_at_paths }
    }

    fn rule(&mut self, at: &str, rule: config::Rule, known: &Known) -> Rule {
        let config::Rule { r#match, client_certificate, deny } = rule;
        let outcome = match (client_certificate, deny) {
            (Some(name), None) => {
                let name = self.certificate(&format!("{at}.client_certificate"), &name);
                name.map(Outcome::Present).unwrap_or_default()
            }
            (None, Some(deny)) => self.deny(&format!("{at}.deny"), deny),
            (Some(_), Some(_)) => {
                self.refuse(at, "has both client_certificate and deny; leave one out");
                Outcome::default()
            }
            (None, None) => {
                self.refuse(at, "has neither client_certificate nor deny");
                Outcome::default()
            }
        };
        let config::Match { consumers, groups, methods, path_prefix, hosts, headers } = r#match;
        let at = format!("{at}.match");
        Rule {
            consumers: self.named(
                &format!("{at}.consumers"),
                consumers,
                "consumer",
                known.consumers.as_ref(),
            ),
            groups: self.named(&format!("{at}.groups"), groups, "group", known.groups.as_ref()),
            methods: self.methods(&format!("{at}.methods"), methods),
            path_prefix: path_prefix.and_then(|prefix| self.prefix(&format!("{at}.path_prefix"), &prefix)),
            hosts: self.hosts(&format!("{at}.hosts"), hosts),
            headers: self.headers(&format!("{at}.headers"), headers),
            outcome,
        }
    }

    fn deny(&mut self, at: &str, deny: config::Deny) -> Outcome {
        let config::Deny { status, message } = deny;
        let status = status.unwrap_or(403);
        if !(400..600).contains(&status) {
            self.refuse(&format!("{at}.status"), format!("{status} is not between 400 and 599"));
        }
        let message = message.unwrap_or_else(|| FORBIDDEN.to_owned());
        if message.contains(char::is_control) {
            self.refuse(&format!("{at}.message"), "holds control characters");
        }
        Outcome::Deny { status, message: message.into() }
    }

    /// Names that have to exist, where the policy itself says which do.
    fn named(
        &mut self,
        at: &str,
        written: Option<Vec<String>>,
        kind: &str,
        known: Option<&BTreeSet<String>>,
    ) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        for (number, name) in written.iter().enumerate() {
            if let Some(known) = known.filter(|known| !known.contains(name)) {
                let near = did_you_mean(name, known.iter().map(String::as_str));
                let message = match kind {
                    "group" => format!("no consumer is in group {name:?}{near}"),
                    _ => format!("there is no {kind} {name:?}{near}"),
                };
                self.refuse(&format!("{at}[{number}]"), message);
            }
        }
        boxed(written)
    }

    fn methods(&mut self, at: &str, written: Option<Vec<String>>) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        for (number, method) in written.iter().enumerate() {
            if !METHODS.contains(&method.as_str()) {
                let near = did_you_mean(method, METHODS);
                self.refuse(&format!("{at}[{number}]"), format!("{method:?} is not an HTTP method{near}"));
            }
        }
        boxed(written)
    }

    fn prefix(&mut self, at: &str, written: &str) -> Option<Box<str>> {
        if !written.starts_with('/') {
            self.refuse(at, format!("{written:?} does not begin with /"));
            return None;
        }
        match path::canonical(written.as_bytes()) {
            Ok(path) if !written.contains('?') => std::str::from_utf8(&path).ok().map(Into::into),
            _ => {
                self.refuse(
                    at,
                    format!("{written:?} is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes"),
                );
                None
            }
        }
    }

    fn hosts(&mut self, at: &str, written: Option<Vec<String>>) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_[:]".contains(&b));
        for (number, host) in written.iter().enumerate() {
            if host.is_empty() || !plain(host) || (host.contains(':') && !host.ends_with(']')) {
                self.refuse(&format!("{at}[{number}]"), format!("{host:?} is no host name, without port"));
            }
        }
        boxed(written.iter().map(|host| host.to_ascii_lowercase()))
    }

    fn headers(
        &mut self,
        at: &str,
        written: Option<std::collections::BTreeMap<String, Vec<String>>>,
    ) -> Box<[(Box<str>, Box<[Box<str>]>)]> {
        let written = written.unwrap_or_default();
        for (name, values) in &written {
            if !is_token(name) {
                self.refuse(&format!("{at}.{name}"), "is no header name");
            }
            if values.is_empty() {
                self.refuse(&format!("{at}.{name}"), "is empty: no request would match");
            }
        }
        written.into_iter().map(|(name, values)| (name.into(), boxed(values))).collect()
    }

    fn values(&mut self, at: &str, written: Option<Vec<String>>) -> Vec<String> {
        if written.as_ref().is_some_and(Vec::is_empty) {
            self.refuse(at, "is empty: leave the condition out, or name something");
        }
        written.unwrap_or_default()
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

/// What rules may name; `None` where only the gateway knows.
struct Known {
    consumers: Option<BTreeSet<String>>,
    groups: Option<BTreeSet<String>>,
}

impl Known {
    fn of(consumers: &[config::Consumer], anonymous: Option<&str>, authentication: Authentication) -> Self {
        if authentication == Authentication::Gateway {
            return Self { consumers: None, groups: None };
        }
        let names = consumers.iter().map(|consumer| consumer.username.as_str()).chain(anonymous);
        let groups = consumers.iter().flat_map(|consumer| &consumer.groups);
        Self { consumers: Some(names.map(str::to_owned).collect()), groups: Some(groups.cloned().collect()) }
    }
}

fn is_empty(conditions: &config::Match) -> bool {
    let config::Match { consumers, groups, methods, path_prefix, hosts, headers } = conditions;
    [consumers, groups, methods, hosts].into_iter().all(Option::is_none)
        && path_prefix.is_none()
        && headers.as_ref().is_none_or(|headers| headers.is_empty())
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn boxed(strings: impl IntoIterator<Item = String>) -> Box<[Box<str>]> {
    strings.into_iter().map(String::into_boxed_str).collect()
}

/// RFC 9110, section 9.3, and RFC 5789.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

const NO_KEY: &str = "No API key found in request";
