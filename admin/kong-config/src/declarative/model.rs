//! A declarative config, checked: what exists here is valid, and its references are resolved.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::HostMatch;

/// A whole config. Indices in it point into its own lists.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Services, in the document's order.
    pub services: Vec<Service>,
    /// Routes, in the document's order, those nested in services too.
    pub routes: Vec<Route>,
    /// Client certificates, Kong's `certificates` entities.
    pub certificates: Vec<Certificate>,
    /// Trust anchors, Kong's `ca_certificates` entities.
    pub ca_certificates: Vec<CaCertificate>,
    /// The plugin upstream-mtls without a scope.
    pub upstream_mtls: Option<UpstreamMtls>,
}

/// Kong's service entity.
#[derive(Clone, Debug)]
pub struct Service {
    /// Empty where the document gives none.
    pub name: String,
    /// A UUID: the document's, or the one that a DB-less Kong makes of the name.
    pub id: String,
    pub protocol: Protocol,
    pub host: String,
    pub port: u16,
    /// Put before what is left of the request's path; begins with `/`.
    pub path: Option<String>,
    pub connect_timeout: Duration,
    pub write_timeout: Duration,
    pub read_timeout: Duration,
    /// How often a request is tried again when no connection could be made.
    pub retries: u32,
    /// Index into [`Config::certificates`].
    pub client_certificate: Option<usize>,
    /// Absent: not verified, Kong's default (`proxy_ssl_verify off`).
    pub tls_verify: Option<bool>,
    /// How many certificates may stand between leaf and trust anchor.
    pub tls_verify_depth: Option<u8>,
    /// Indices into [`Config::ca_certificates`].
    pub ca_certificates: Vec<usize>,
    pub filters: Vec<Filter>,
    pub upstream_mtls: Option<UpstreamMtls>,
}

impl Service {
    /// nginx's `proxy_ssl_verify_depth`, where the service says nothing.
    pub const TLS_VERIFY_DEPTH: u8 = 1;

    /// Its name, or its id where it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

impl Route {
    /// Its name, or its id where it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

/// Protocol towards the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Https,
}

/// Kong's route entity.
#[derive(Clone, Debug)]
pub struct Route {
    /// Empty where the document gives none.
    pub name: String,
    /// A UUID: the document's, or the one that a DB-less Kong makes of the name.
    pub id: String,
    /// Index into [`Config::services`].
    pub service: usize,
    /// Upper case; empty: every method.
    pub methods: Vec<String>,
    /// As written, since Kong compares with case; empty: every host.
    pub hosts: Vec<HostMatch>,
    /// Names in lower case, and the values of which one must match; every header must.
    pub headers: Vec<(String, Vec<HeaderMatch>)>,
    /// Empty: every path.
    pub paths: Vec<PathMatch>,
    pub regex_priority: i64,
    pub strip_path: bool,
    pub preserve_host: bool,
    pub filters: Vec<Filter>,
    pub upstream_mtls: Option<UpstreamMtls>,
    /// Where it stands in the document, for messages: `kong.yml:12: services[0].routes[0]`.
    pub place: String,
}

/// One of a route's paths.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// A prefix, compared with the normalised path. It need not end where a segment ends.
    Prefix(String),
    /// Written `~…`: anchored at the path's start.
    Regex(Regex),
}

/// One of the values that a route wants in a header; compared with the value in lower case.
#[derive(Clone, Debug)]
pub enum HeaderMatch {
    /// In lower case.
    Value(String),
    /// Written `~*…`. In lower case too, as Kong has it: `\S` is `\s` there.
    Regex(Regex),
}

/// A filter with its config, from a `filter_chains` entry or from `plugins`.
#[derive(Clone, Debug)]
pub struct Filter {
    pub name: String,
    /// What the filter receives: JSON text, or the document's own string.
    pub config: Vec<u8>,
    /// Where it stands in the document, for messages: `kong.yml:12: routes[0].plugins[1]`.
    pub place: String,
}

/// Kong's certificate entity.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// A UUID; empty where the document gives none, and then nothing refers to it.
    pub id: String,
    pub pair: PemPair,
}

/// A chain and its private key, as PEM. `Debug` shows neither.
#[derive(Clone)]
pub struct PemPair {
    pub chain: String,
    pub key: String,
}

impl std::fmt::Debug for PemPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PemPair")
    }
}

impl PemPair {
    /// Stands in for a pair that could not be read, in a config that is refused for it.
    pub(super) fn empty() -> Self {
        Self { chain: String::new(), key: String::new() }
    }
}

/// Kong's CA certificate entity.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    /// A UUID; empty where the document gives none, and then nothing refers to it.
    pub id: String,
    pub pem: String,
}

/// Config of the plugin upstream-mtls, one instance.
#[derive(Clone, Debug)]
pub struct UpstreamMtls {
    /// Names are unique.
    pub client_certificates: Vec<ClientCertificate>,
    /// Presented where no filter selects one; one of `client_certificates`.
    pub client_certificate: Option<String>,
    /// What the upstream's certificate must chain to. `None` where `tls_verify` is off.
    pub trust: Option<Trust>,
    pub tls_verify_depth: u8,
    /// Lists of what the upstream's authorities have revoked; only where there is trust.
    pub revocations: Option<PathBuf>,
    /// Names of which the upstream's certificate must have one, instead of the service's host; only where there is
    /// trust. Empty: the host.
    pub upstream_names: Vec<UpstreamName>,
    /// Whether an upstream that asks for no client certificate is refused.
    pub requires_request: bool,
    /// How long before a client certificate or a trust anchor expires that is told.
    pub expiry_warning: Duration,
    /// Between looks at the files.
    pub reload_interval: Duration,
}

/// A name that an upstream's certificate may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamName {
    Dns(String),
    /// As it stands in the certificate, byte for byte: a SPIFFE ID, say.
    Uri(String),
}

/// A client certificate by name.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    pub name: String,
    pub source: CertificateSource,
}

/// Where a client certificate comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    Files {
        chain: PathBuf,
        key: PathBuf,
    },
    /// Index into [`Config::certificates`].
    Entity(usize),
    Inline(PemPair),
}

/// Where trust anchors come from.
#[derive(Clone, Debug)]
pub enum Trust {
    File(PathBuf),
    /// Indices into [`Config::ca_certificates`].
    Entities(Vec<usize>),
}
