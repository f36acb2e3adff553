//! Kong's declarative config, put together anew, for what was no Kong's before.

use super::policy::{Consumer, Policy, plugin, present, texts};
use kong_config::document::{Node, Value};

/// What requests are sent to.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: i64,
    pub(super) presenter: Option<Presenter>,
}

/// Its upstream-mtls.
#[derive(Clone)]
pub(super) struct Presenter {
    pub(super) certificate: Option<Pair>,
    pub(super) ca_file: Option<String>,
}

/// A client certificate, by its files.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) cert_file: String,
    pub(super) key_file: String,
}

/// Which requests those are.
#[derive(Clone, Default)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) hosts: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) preserve_host: bool,
    pub(super) access: Access,
    /// A header that the old gateway wrote, and no client may.
    pub(super) forbidden_header: Option<String>,
}

/// Who may use a route.
#[derive(Clone, Default)]
pub(super) enum Access {
    /// Nobody: it was there before, and what it asked for cannot be mapped.
    #[default]
    Closed,
    Open,
    Policy(Box<Policy>, Vec<Consumer>),
}

/// The whole config; each route with the index of its service.
pub(super) fn config(services: &[Service], routes: &[(usize, Route)]) -> Node {
    let services = services.iter().enumerate().map(|(index, service)| {
        let own = routes.iter().filter(|(of, _)| *of == index).map(|(_, route)| route);
        let selects = service.certificate().is_some();
        let open = own.clone().any(|route| matches!(route.access, Access::Open)) && selects;
        present([
            ("name", Some(service.name.as_str().into())),
            ("protocol", Some(if service.tls { "https" } else { "http" }.into())),
            ("host", Some(service.host.as_str().into())),
            ("port", Some(Value::Integer(service.port).into())),
            ("routes", Some(own.map(|route| route.node(service.certificate())).collect())),
            ("plugins", service.presenter.as_ref().map(|one| [one.node(open)].into_iter().collect())),
        ])
    });
    [("_format_version", Node::from("3.0")), ("services", services.collect())].into_iter().collect()
}

impl Service {
    /// What its client certificate is called.
    fn certificate(&self) -> Option<&str> {
        Some(self.presenter.as_ref()?.certificate.as_ref()?.name.as_str())
    }
}

impl Presenter {
    /// `open`: whether requests come here of which no policy selects a certificate.
    fn node(&self, open: bool) -> Node {
        let held = self.certificate.as_ref().map(|Pair { name, cert_file, key_file }| {
            let fields = [("name", name), ("cert_file", cert_file), ("key_file", key_file)];
            let held: Node =
                fields.into_iter().map(|(field, text)| (field, Node::from(text.as_str()))).collect();
            [held].into_iter().collect()
        });
        let name = self.certificate.as_ref().filter(|_| open).map(|pair| pair.name.as_str().into());
        let config = present([
            ("client_certificates", held),
            ("client_certificate", name),
            ("ca_file", self.ca_file.as_deref().map(Node::from)),
            ("tls_verify", self.ca_file.is_none().then_some(false.into())),
        ]);
        plugin("upstream-mtls", config)
    }
}

impl Route {
    /// Whether somebody may use it who has a key.
    pub(super) fn is_guarded(&self) -> bool {
        matches!(self.access, Access::Policy(..))
    }

    fn node(&self, certificate: Option<&str>) -> Node {
        let list = |values: &Vec<String>| (!values.is_empty()).then(|| texts(values));
        let headers =
            self.headers.iter().map(|(name, value)| (name.as_str(), texts(std::slice::from_ref(value))));
        let headers: Node = headers.collect();
        let policy = match &self.access {
            Access::Open => None,
            Access::Closed => Some(Policy::default().plugin(&[])),
            Access::Policy(policy, consumers) => {
                let mut policy = policy.clone();
                policy.select(certificate);
                Some(policy.plugin(consumers))
            }
        };
        let cleared = self.forbidden_header.as_ref().map(|name| {
            let headers: Node = [("headers", texts(std::slice::from_ref(name)))].into_iter().collect();
            plugin("request-transformer", [("remove", headers)].into_iter().collect())
        });
        let plugins: Vec<_> = policy.into_iter().chain(cleared).collect();
        present([
            ("name", Some(self.name.as_str().into())),
            ("hosts", list(&self.hosts)),
            ("paths", list(&self.paths)),
            ("methods", list(&self.methods)),
            ("headers", (!self.headers.is_empty()).then_some(headers)),
            ("strip_path", Some(false.into())),
            ("preserve_host", self.preserve_host.then_some(true.into())),
            ("plugins", (!plugins.is_empty()).then(|| plugins.into_iter().collect())),
        ])
    }
}

/// A name that a Kong's entity may have (kong/db/schema/typedefs.lua, utf8_name).
pub(super) fn entity_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._~-".contains(c) { c } else { '-' };
    text.chars().map(plain).collect()
}
