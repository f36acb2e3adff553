//! Which route a request takes, by the embedded gateway's router, which is Kong's.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::{Request, Setup};
use kong_config::declarative;
use kong_config::document::Node;
use kong_config::router::{RouteRequest, Router};
use kong_config::uri::Target;

/// The routes of a setup, and nothing else of it.
pub(super) struct Routing {
    router: Router,
    /// Of each route of the config, the index in the setup.
    known: Vec<usize>,
}

impl Routing {
    /// # Errors
    /// The routes hold what only a real Kong can read.
    pub(super) fn of(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let mut known = Vec::new();
        let mut services = Vec::new();
        for (index, service) in setup.services.iter().enumerate() {
            let of_it = (0..setup.routes.len()).filter(|route| setup.routes[*route].service == Some(index));
            let mut routes = Vec::new();
            for route in of_it {
                known.push(route);
                routes.push(fields_of(setup.routes[route].node, &ROUTE));
            }
            let mut fields = fields_of(service.node, &SERVICE);
            if let Some(fields) = fields.as_object_mut() {
                // A request is routed the same whatever the upstream speaks.
                if fields.contains_key("protocol") {
                    fields.insert("protocol".to_owned(), "http".into());
                }
                fields.insert("routes".to_owned(), routes.into());
            }
            services.push(fields);
        }
        let text = json!({ "_format_version": "3.0", "services": services }).to_string();
        let config = declarative::parse(&text, "routes", &BTreeSet::new())
            .map_err(|problems| anyhow!("{problems}"))
            .context("requests cannot be routed here; give --route and --upstream-path instead")?;
        Ok(Self { router: Router::new(&config), known })
    }

    /// The route that a client's request takes, and what the upstream would receive.
    ///
    /// # Errors
    /// None of them, or a request that no server takes.
    pub(super) fn take(&self, request: &Request) -> anyhow::Result<(usize, String)> {
        let target = Target::parse(&request.target)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name).with_context(|| format!("--header {name:?}"))?;
            headers.append(name, HeaderValue::try_from(value).context("--header: not a header's value")?);
        }
        let asked = RouteRequest {
            method: &request.method,
            host: Some(&request.host),
            port: 80,
            target: &target,
            headers: &headers,
        };
        let Some(found) = self.router.route(&asked) else {
            bail!("no route matches {} {} at host {:?}", request.method, request.target, request.host);
        };
        Ok((self.known[found.route], found.upstream_uri))
    }
}

fn fields_of(node: &Node, names: &[&str]) -> Value {
    let written = node.to_json();
    let is_there = |value: &&Value| !(value.is_null() || **value == json!([]) || **value == json!({}));
    let fields = names.iter().filter_map(|name| {
        let value = written.get(*name).filter(is_there)?;
        Some(((*name).to_owned(), value.clone()))
    });
    Value::Object(Map::from_iter(fields))
}

const SERVICE: [&str; 7] = ["name", "id", "url", "protocol", "host", "port", "path"];

const ROUTE: [&str; 10] = [
    "name",
    "id",
    "methods",
    "hosts",
    "headers",
    "paths",
    "regex_priority",
    "strip_path",
    "path_handling",
    "preserve_host",
];
