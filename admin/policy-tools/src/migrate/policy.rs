//! A policy that is being put together, and how it is written.

use kong_config::document::Node;

/// A policy that is being put together: what of it is absent has its default.
#[derive(Clone, Default)]
pub(super) struct Policy {
    pub(super) key_names: Option<Vec<String>>,
    pub(super) key_in_header: Option<bool>,
    pub(super) key_in_query: Option<bool>,
    pub(super) key_in_body: Option<bool>,
    pub(super) key_authorization: Option<String>,
    pub(super) key_cookies: Option<Vec<String>>,
    pub(super) hide_credentials: Option<bool>,
    pub(super) run_on_preflight: Option<bool>,
    pub(super) realm: Option<String>,
    pub(super) anonymous: Option<String>,
    pub(super) client_certificate: Option<String>,
    pub(super) rules: Vec<Rule>,
}

/// Somebody who asks.
#[derive(Clone, Default)]
pub(super) struct Consumer {
    pub(super) username: String,
    pub(super) id: Option<String>,
    pub(super) custom_id: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) keys: Vec<Key>,
}

/// An API key, of which nothing is left but its digest.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) sha256: String,
    /// RFC 3339.
    pub(super) not_after: Option<String>,
}

/// The first that matches decides; empty conditions hold for everybody.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) consumers: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) outcome: Outcome,
}

#[derive(Clone)]
pub(super) enum Outcome {
    Deny { status: i64, message: &'static str },
    Present(String),
}

impl Policy {
    /// Lets all but some pass, as whom the upstream is called, if as anybody.
    pub(super) fn refuse(&mut self, consumers: Vec<String>, status: i64, message: &'static str) {
        if !consumers.is_empty() {
            let outcome = Outcome::Deny { status, message };
            self.rules.push(Rule { consumers, groups: Vec::new(), methods: Vec::new(), outcome });
        }
    }

    /// Selects a certificate where no rule says otherwise.
    pub(super) fn select(&mut self, certificate: Option<&str>) {
        self.client_certificate = certificate.map(str::to_owned);
    }

    /// As an entry of `plugins`.
    pub(super) fn plugin(&self, consumers: &[Consumer]) -> Node {
        plugin("mtls-policy", self.config(consumers))
    }

    /// In the order of the reference.
    pub(super) fn config(&self, consumers: &[Consumer]) -> Node {
        let Self {
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
            client_certificate,
            rules,
        } = self;
        let fields = [
            ("key_names", key_names.as_deref().map(texts)),
            ("key_in_header", key_in_header.map(Node::from)),
            ("key_in_query", key_in_query.map(Node::from)),
            ("key_in_body", key_in_body.map(Node::from)),
            ("key_authorization", text(key_authorization)),
            ("key_cookies", key_cookies.as_deref().map(texts)),
            ("hide_credentials", hide_credentials.map(Node::from)),
            ("run_on_preflight", run_on_preflight.map(Node::from)),
            ("realm", text(realm)),
            ("anonymous", text(anonymous)),
            ("consumers", some(consumers, Consumer::node)),
            ("client_certificate", text(client_certificate)),
            ("rules", some(rules, Rule::node)),
        ];
        present(fields)
    }
}

impl Consumer {
    fn node(&self) -> Node {
        let Self { username, id, custom_id, groups, keys } = self;
        present([
            ("username", Some(username.as_str().into())),
            ("id", text(id)),
            ("custom_id", text(custom_id)),
            ("groups", (!groups.is_empty()).then(|| texts(groups))),
            ("keys", some(keys, Key::node)),
        ])
    }
}

impl Key {
    fn node(&self) -> Node {
        let Self { id, sha256, not_after } = self;
        present([
            ("id", Some(id.as_str().into())),
            ("sha256", Some(sha256.as_str().into())),
            ("not_after", text(not_after)),
        ])
    }
}

impl Rule {
    fn node(&self) -> Node {
        let Self { consumers, groups, methods, outcome } = self;
        let condition = |values: &Vec<String>| (!values.is_empty()).then(|| texts(values));
        let matching = present([
            ("consumers", condition(consumers)),
            ("groups", condition(groups)),
            ("methods", condition(methods)),
        ]);
        let outcome = match outcome {
            Outcome::Present(name) => ("client_certificate", name.as_str().into()),
            Outcome::Deny { status, message } => {
                let status = kong_config::document::Value::Integer(*status).into();
                ("deny", [("status", status), ("message", (*message).into())].into_iter().collect())
            }
        };
        [("match", matching), outcome].into_iter().collect()
    }
}

/// An entry of `plugins`.
pub(super) fn plugin(name: &str, config: Node) -> Node {
    [("name", name.into()), ("config", config)].into_iter().collect()
}

pub(super) fn texts(texts: &[String]) -> Node {
    texts.iter().map(|text| Node::from(text.as_str())).collect()
}

/// The fields that are there.
pub(super) fn present<const N: usize>(fields: [(&str, Option<Node>); N]) -> Node {
    fields.into_iter().filter_map(|(name, node)| Some((name, node?))).collect()
}

fn text(text: &Option<String>) -> Option<Node> {
    text.as_deref().map(Node::from)
}

fn some<T>(items: &[T], node: impl Fn(&T) -> Node) -> Option<Node> {
    (!items.is_empty()).then(|| items.iter().map(node).collect())
}
