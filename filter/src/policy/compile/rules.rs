//! Rules, and the names that they may name.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compiler, Consumers, ConsumersFile, boxed, is_token};
use crate::policy::config::{self, Authentication};
use crate::policy::keyring::Consumer;
use crate::policy::path;
use crate::policy::problem::did_you_mean;
use crate::policy::rules::{FORBIDDEN, HeaderIs, Outcome, Rule, Rules};

impl Compiler<'_> {
    pub(super) fn rules(
        &mut self,
        default: Option<String>,
        written: Vec<config::Rule>,
        known: &Known<'_>,
    ) -> Rules {
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
        let look_at_paths = rules.iter().any(|rule| rule.path_prefix.is_some() || !rule.paths.is_empty());
        Rules { rules: rules.into(), default, look_at_paths }
    }

    fn rule(&mut self, at: &str, rule: config::Rule, known: &Known<'_>) -> Rule {
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
        let config::Match { consumers, groups, methods, paths, path_prefix, hosts, headers } = r#match;
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
            paths: self.paths(&format!("{at}.paths"), paths),
            path_prefix: path_prefix.and_then(|prefix| self.path(&format!("{at}.path_prefix"), &prefix)),
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
        known: Option<&Names<'_>>,
    ) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        for (number, name) in written.iter().enumerate() {
            if let Some(known) = known.filter(|known| !known.contains(name)) {
                let near = known.nearest(name);
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

    fn paths(&mut self, at: &str, written: Option<Vec<String>>) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        let each = written.iter().enumerate();
        each.filter_map(|(number, path)| self.path(&format!("{at}[{number}]"), path)).collect()
    }

    fn path(&mut self, at: &str, written: &str) -> Option<Box<str>> {
        if !written.starts_with('/') {
            self.refuse(at, format!("{written:?} does not begin with /"));
            return None;
        }
        match path::canonical(written.as_bytes()) {
            Ok(path) if !written.contains('?') => std::str::from_utf8(&path).ok().map(Into::into),
            _ => {
                self.refuse(
                    at,
                    format!(
                        "{written:?} is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes"
                    ),
                );
                None
            }
        }
    }

    fn hosts(&mut self, at: &str, written: Option<Vec<String>>) -> Box<[Box<str>]> {
        let written = self.values(at, written);
        let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_[:]".contains(&b));
        for (number, host) in written.iter().enumerate() {
            if host.trim_end_matches('.').is_empty()
                || !plain(host)
                || (host.contains(':') && !host.ends_with(']'))
            {
                self.refuse(&format!("{at}[{number}]"), format!("{host:?} is no host name, without port"));
            }
        }
        boxed(written.iter().map(|host| host.trim_end_matches('.').to_owned()))
    }

    fn headers(&mut self, at: &str, written: Option<BTreeMap<String, Vec<String>>>) -> Box<[HeaderIs]> {
        let written = written.unwrap_or_default();
        for (name, values) in &written {
            if !is_token(name) {
                self.refuse(&format!("{at}.{name}"), "is no header name");
            }
            if values.is_empty() {
                self.refuse(&format!("{at}.{name}"), "is empty: no request would match");
            }
        }
        written
            .into_iter()
            .map(|(name, values)| HeaderIs { name: name.into(), values: boxed(values) })
            .collect()
    }

    fn values(&mut self, at: &str, written: Option<Vec<String>>) -> Vec<String> {
        if written.as_ref().is_some_and(Vec::is_empty) {
            self.refuse(at, "is empty: leave the condition out, or name something");
        }
        written.unwrap_or_default()
    }
}

/// What rules may name; `None` where only the gateway knows.
pub(super) struct Known<'c> {
    consumers: Option<Names<'c>>,
    groups: Option<Names<'c>>,
}

/// Names that exist.
enum Names<'c> {
    Listed(BTreeSet<&'c str>),
    /// Usernames of a consumers file, and the anonymous consumer's.
    Consumers(&'c Consumers, Option<&'c str>),
    /// Groups of a consumers file.
    Groups(&'c BTreeSet<Box<str>>),
}

impl Names<'_> {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Listed(names) => names.contains(name),
            Self::Consumers(consumers, anonymous) => {
                consumers.by_username(name).is_some() || *anonymous == Some(name)
            }
            Self::Groups(groups) => groups.contains(name),
        }
    }

    /// `did you mean "x"?`; nothing where there are so many names that comparing them would take long.
    fn nearest(&self, name: &str) -> String {
        match self {
            Self::Listed(names) => did_you_mean(name, names.iter().copied()),
            Self::Consumers(consumers, anonymous) if consumers.all().len() <= MOST_COMPARED => {
                let usernames = consumers.all().iter().map(|consumer| &*consumer.username);
                did_you_mean(name, usernames.chain(*anonymous))
            }
            Self::Groups(groups) if groups.len() <= MOST_COMPARED => {
                did_you_mean(name, groups.iter().map(|group| &**group))
            }
            Self::Consumers(..) | Self::Groups(_) => String::new(),
        }
    }
}

const MOST_COMPARED: usize = 1000;

impl<'c> Known<'c> {
    pub(super) fn of(
        written: &'c [Consumer],
        from_file: Option<ConsumersFile<'c>>,
        anonymous: Option<&'c str>,
        authentication: Authentication,
    ) -> Self {
        let read = match from_file {
            _ if authentication == Authentication::Gateway => return Self::NOTHING,
            Some(ConsumersFile::Missing | ConsumersFile::Unread | ConsumersFile::Unsupported) => {
                return Self::NOTHING;
            }
            Some(ConsumersFile::Read(consumers)) => consumers.all(),
            None => &[],
        };
        if written.is_empty()
            && let Some(ConsumersFile::Read(consumers)) = from_file
            && let Some(groups) = consumers.groups()
        {
            let usernames = Names::Consumers(consumers, anonymous);
            return Self { consumers: Some(usernames), groups: Some(Names::Groups(groups)) };
        }
        let (mut names, mut groups) = (BTreeSet::new(), BTreeSet::new());
        // One by one: to collect them would bring sorts into the module.
        for consumer in written.iter().chain(read) {
            names.insert(&*consumer.username);
            groups.extend(consumer.groups.iter().map(|group| &**group));
        }
        names.extend(anonymous);
        Self { consumers: Some(Names::Listed(names)), groups: Some(Names::Listed(groups)) }
    }

    pub(super) const NOTHING: Self = Self { consumers: None, groups: None };
}

fn is_empty(conditions: &config::Match) -> bool {
    let config::Match { consumers, groups, methods, paths, path_prefix, hosts, headers } = conditions;
    [consumers, groups, methods, paths, hosts].into_iter().all(Option::is_none)
        && path_prefix.is_none()
        && headers.as_ref().is_none_or(|headers| headers.is_empty())
}

/// RFC 9110, section 9.3, and RFC 5789.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
