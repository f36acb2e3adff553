//! A running Kong, by its Admin API.
//!
//! The Admin API accepts policies that the wasm runtime rejects, and ids of certificates that do not exist: Kong checks
//! neither. Here each policy is compiled by the core, as the gateway does it.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::blocking::{Client, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Certificate, StatusCode, Url};
use serde_json::{Map, Value, json};

use super::entities::{Known, look};
use super::{Finding, Hop};
use kong_config::document::Node;
use policy_tools::Engine;
use policy_tools::policy::{Document, Setup};

/// The Admin API of a Kong. No `Debug`: the headers may hold a credential.
pub struct AdminApi {
    /// Without a slash at its end.
    base: String,
    client: Client,
}

/// Why nothing can be said of a Kong.
#[derive(Debug, PartialEq, Eq)]
pub enum AdminApiError {
    InvalidUrl {
        url: String,
        why: &'static str,
    },
    InvalidCa {
        why: String,
    },
    InvalidHeader {
        line: usize,
    },
    Unreachable {
        url: String,
        why: String,
    },
    /// It answers, and is not a Kong's Admin API.
    OtherServer {
        url: String,
        status: u16,
        message: String,
    },
    Unauthorized {
        url: String,
        status: u16,
    },
    /// A request failed that an Admin API answers.
    Failed {
        url: String,
        status: u16,
        message: String,
    },
    InvalidAnswer {
        url: String,
        why: String,
    },
}

impl AdminApi {
    /// `ca`: PEM of CA certificates to verify the server with, instead of the system's. `headers`: lines of
    /// `NAME: VALUE` that are sent with each request.
    ///
    /// # Errors
    /// One of these is invalid.
    pub fn new(url: &str, ca: Option<&[u8]>, headers: &str) -> Result<Self, AdminApiError> {
        let invalid = |why| AdminApiError::InvalidUrl { url: url.to_owned(), why };
        let parsed =
            Url::parse(url).map_err(|_| invalid("expected http://HOST:PORT or https://HOST:PORT"))?;
        if !["http", "https"].contains(&parsed.scheme()) || !parsed.has_host() {
            return Err(invalid("expected http://HOST:PORT or https://HOST:PORT"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid("unexpected credentials: put them into a file for --admin-header-file"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(invalid("unexpected query or fragment"));
        }
        // reqwest takes the provider of the process; an error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .default_headers(read_headers(headers)?);
        if let Some(pem) = ca {
            let why = |error: &dyn fmt::Display| AdminApiError::InvalidCa { why: error.to_string() };
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| why(&error))?;
            if certificates.is_empty() {
                return Err(why(&"expected a certificate in PEM"));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| AdminApiError::InvalidCa { why: words(&error) })?;
        Ok(Self { base: parsed.as_str().trim_end_matches('/').to_owned(), client })
    }

    /// Reads the configuration of the Kong and checks each policy in it.
    ///
    /// # Errors
    /// The Admin API cannot be asked.
    pub fn examine(&self) -> Result<Vec<Finding>, AdminApiError> {
        let node = self.node()?;
        let plugins: Vec<_> = self
            .list("plugins")?
            .into_iter()
            .filter(|plugin| OURS.iter().any(|name| plugin["name"] == *name))
            .collect();
        let chains = self.list_or_none("filter-chains")?;
        let services = self.list("services")?;
        let routes = self.list("routes")?;
        let consumers = self.list("consumers")?;
        let groups = self.list_or_none("acls")?;
        let known = Known {
            engine: node.engine,
            certificates: Some(ids(&self.list("certificates")?)),
            ca_certificates: Some(ids(&self.list("ca_certificates")?)),
        };
        let told = format!(
            "{}; {}, {}, {} of ours",
            node.told,
            count(services.len(), "service", "services"),
            count(routes.len(), "route", "routes"),
            count(plugins.len() + chains.len(), "plugin or filter chain", "plugins and filter chains")
        );
        let root = json!({
            "_format_version": "3.0",
            "services": services,
            "routes": routes,
            "plugins": plugins,
            "filter_chains": chains,
            "consumers": consumers.iter().map(|one| json!({ "username": one["username"] })).collect::<Vec<_>>(),
            "acls": groups.iter().map(|one| json!({ "group": one["group"] })).collect::<Vec<_>>(),
        });
        let documents = [Document::without_text(self.base.clone(), Node::from(root))];
        let setup = Setup::of(&documents);
        Ok([Finding::fine(Hop::Config, told)].into_iter().chain(look(&setup, &known)).collect())
    }

    /// What the node says of itself.
    fn node(&self) -> Result<KongNode, AdminApiError> {
        let url = format!("{}/", self.base);
        let (status, body) = self.get(&url)?;
        let message = message(&body);
        let fields: Value = serde_json::from_str(&body).unwrap_or_default();
        let is_kong =
            status == StatusCode::OK && fields["version"].is_string() && fields["configuration"].is_object();
        if !is_kong {
            return Err(AdminApiError::OtherServer {
                url: self.base.clone(),
                status: status.as_u16(),
                message,
            });
        }
        let configuration = &fields["configuration"];
        let engine = runtime(&fields);
        let version = fields["version"].as_str().unwrap_or_default();
        let database = configuration["database"].as_str().unwrap_or("off");
        let role = configuration["role"].as_str().filter(|role| *role != "traditional");
        let runtime = match engine {
            Some(Engine::Native) => "native runtime",
            Some(Engine::Wasm) => "wasm runtime",
            None => "mtls-policy is not loaded",
        };
        let role = role.map(|role| format!(", {role}")).unwrap_or_default();
        let told = format!("Kong {version}, database {database}{role}, {runtime}");
        Ok(KongNode { told: told.replace(char::is_control, "\u{fffd}"), engine })
    }

    /// All entities of a kind.
    fn list(&self, kind: &str) -> Result<Vec<Value>, AdminApiError> {
        self.pages(kind)?.map_err(|(url, status, message)| AdminApiError::Failed { url, status, message })
    }

    /// The same of a kind that a Kong may not have: `/filter-chains` is a 400 where wasm is off.
    fn list_or_none(&self, kind: &str) -> Result<Vec<Value>, AdminApiError> {
        match self.pages(kind)? {
            Ok(entities) => Ok(entities),
            Err((_, 400 | 404, _)) => Ok(Vec::new()),
            Err((url, status, message)) => Err(AdminApiError::Failed { url, status, message }),
        }
    }

    #[expect(clippy::type_complexity, reason = "an answer that is no list: its URL, status and message")]
    fn pages(&self, kind: &str) -> Result<Result<Vec<Value>, (String, u16, String)>, AdminApiError> {
        let mut entities = Vec::new();
        let mut seen = HashSet::new();
        let mut url = format!("{}/{kind}?size={PAGE}", self.base);
        loop {
            let (status, body) = self.get(&url)?;
            if status != StatusCode::OK {
                return Ok(Err((url, status.as_u16(), message(&body))));
            }
            let invalid = |why: &str| AdminApiError::InvalidAnswer { url: url.clone(), why: why.to_owned() };
            let mut page: Map<String, Value> =
                serde_json::from_str(&body).map_err(|_| invalid("expected a JSON object"))?;
            match page.remove("data") {
                Some(Value::Array(data)) => entities.extend(data),
                // Lua writes an empty table as an object.
                Some(Value::Object(data)) if data.is_empty() => {}
                _ => return Err(invalid("expected a list in `data`")),
            }
            // `next` is a path without the prefix that a proxy before the Admin API may have.
            let Some(offset) = page.get("offset").and_then(Value::as_str) else { return Ok(Ok(entities)) };
            if !seen.insert(offset.to_owned()) {
                return Err(invalid("its pages have no end: the same `offset` came twice"));
            }
            let offset = utf8_percent_encode(offset, NON_ALPHANUMERIC);
            url = format!("{}/{kind}?size={PAGE}&offset={offset}", self.base);
        }
    }

    fn get(&self, url: &str) -> Result<(StatusCode, String), AdminApiError> {
        let unreachable =
            |error: &reqwest::Error| AdminApiError::Unreachable { url: self.base.clone(), why: words(error) };
        let response = self.client.get(url).send().and_then(|response: Response| {
            let status = response.status();
            Ok((status, response.text()?))
        });
        let (status, body) = response.map_err(|error| unreachable(&error))?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(AdminApiError::Unauthorized { url: url.to_owned(), status: status.as_u16() })
            }
            status => Ok((status, body)),
        }
    }
}

/// What a node says of itself.
struct KongNode {
    told: String,
    engine: Option<Engine>,
}

/// The runtime in which mtls-policy is loaded. With wasm, Kong lists filters among its plugins, too.
fn runtime(node: &Value) -> Option<Engine> {
    let filters =
        node["configuration"]["wasm_modules_parsed"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_filter = filters.iter().any(|filter| filter["name"] == "mtls-policy");
    let is_plugin = !node["plugins"]["available_on_server"]["mtls-policy"].is_null();
    match (is_filter, is_plugin) {
        (true, _) => Some(Engine::Wasm),
        (false, true) => Some(Engine::Native),
        (false, false) => None,
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn read_headers(lines: &str) -> Result<HeaderMap, AdminApiError> {
    let mut headers = HeaderMap::new();
    for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        // The line itself may be a credential.
        let invalid = || AdminApiError::InvalidHeader { line: number + 1 };
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| invalid())?;
        let mut value = HeaderValue::try_from(value.trim()).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn ids(entities: &[Value]) -> HashSet<String> {
    entities.iter().filter_map(|entity| entity["id"].as_str().map(str::to_owned)).collect()
}

/// `message` of a body, on one line and short.
fn message(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let message = body["message"].as_str().unwrap_or_default();
    message.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Why a request got no answer.
fn words(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        last = error.to_string();
        if let Some(kind) = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            match kind {
                ErrorKind::ConnectionRefused => {
                    return "connection refused: nothing listens there".to_owned();
                }
                ErrorKind::TimedOut => return no_answer(),
                ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => return CLOSED.to_owned(),
                _ => {}
            }
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return CLOSED.to_owned();
        }
        cause = error.source();
    }
    match error.is_timeout() {
        true => no_answer(),
        false => last.replace(char::is_control, " "),
    }
}

fn no_answer() -> String {
    format!("no answer within {} seconds", PATIENCE.as_secs())
}

impl fmt::Display for AdminApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl { url, why } => write!(f, "--admin {url}: {why}"),
            Self::InvalidCa { why } => write!(f, "--admin-ca: {why}"),
            Self::InvalidHeader { line } => {
                write!(f, "--admin-header-file: line {line}: expected NAME: VALUE")
            }
            Self::Unreachable { url, why } => write!(
                f,
                "cannot reach the Admin API at {url}: {why}; give the address of admin_listen in kong.conf, and check that Kong runs"
            ),
            Self::OtherServer { url, status, message } => {
                write!(f, "{url} is not the Admin API of a Kong: it answers with status {status}")?;
                if !message.is_empty() {
                    write!(f, " ({message})")?;
                }
                f.write_str("; give the address of admin_listen in kong.conf, not that of proxy_listen")
            }
            Self::Unauthorized { url, status } => write!(
                f,
                "{url} answers with status {status}: the Admin API requires authentication; add --admin-header-file"
            ),
            Self::Failed { url, status, message } => {
                write!(f, "{url} answers with status {status}")?;
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Self::InvalidAnswer { url, why } => write!(f, "{url}: {why}"),
        }
    }
}

impl Error for AdminApiError {}

const CLOSED: &str = "the server closed the connection: is it HTTP or HTTPS?";

const OURS: [&str; 2] = ["mtls-policy", "upstream-mtls"];

/// Kong's own maximum (`kong/api/endpoints.lua`).
const PAGE: usize = 1000;

const PATIENCE: Duration = Duration::from_secs(30);
