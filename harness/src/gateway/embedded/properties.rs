//! What filters may ask and change beside headers: what Kong 3.9 and its plugin upstream-mtls answer.

use std::collections::HashMap;

use ::log::Level;
use http::HeaderName;
use http::uri::PathAndQuery;
use time::OffsetDateTime;

use super::log::Log;
use super::page::Decision;
use super::upstream::Way;
use super::wasm::{Properties, Unsettable};
use kong_config::declarative::{Route, Service};

/// The properties of one request.
pub(super) struct RequestProperties<'r> {
    pub(super) log: &'r Log,
    pub(super) request_id: &'r str,
    pub(super) route: &'r Route,
    pub(super) service: &'r Service,
    pub(super) way: &'r Way,
    pub(super) now: OffsetDateTime,
    /// Path and query as the upstream will receive them.
    pub(super) upstream_uri: PathAndQuery,
    /// The client certificate that a filter has selected.
    pub(super) selected: Option<String>,
    /// The client certificate that a filter would have selected, and in a word why it cannot be.
    pub(super) refused: Option<(String, &'static str)>,
    /// What the page will tell of the request, where there is one.
    pub(super) decision: Option<&'r mut Decision>,
    /// Headers that a filter has had the gateway take away.
    pub(super) cleared: Vec<HeaderName>,
    /// `kong.ctx.shared`: what plugins and filters of one request tell each other.
    pub(super) shared: HashMap<String, Vec<u8>>,
}

impl Properties for RequestProperties<'_> {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        if let Some(name) = path.strip_prefix(CERTIFICATES) {
            return self.offer(name).map(Into::into);
        }
        if let Some(key) = path.strip_prefix(SHARED) {
            return self.shared.get(key).cloned();
        }
        if let Some(order) = path.strip_prefix(ALLOW) {
            return Some(self.allow(order).err().unwrap_or("done").into());
        }
        let value = match path {
            "kong.client.protocol" => "http",
            "kong.route_id" => &self.route.id,
            "kong.route_name" => named(&self.route.name)?,
            "kong.service_id" => &self.service.id,
            "kong.service_name" => named(&self.service.name)?,
            "kong.version" => VERSION,
            "ngx.kong_request_id" => self.request_id,
            "ngx.upstream_uri" => self.upstream_uri.as_str(),
            _ => return None,
        };
        Some(value.as_bytes().to_vec())
    }

    fn set(&mut self, path: &str, value: &[u8]) -> Result<(), Unsettable> {
        if let Some(key) = path.strip_prefix(SHARED) {
            self.shared.insert(key.to_owned(), value.to_vec());
            return Ok(());
        }
        let value = std::str::from_utf8(value).map_err(|_| Unsettable)?;
        match path {
            "kong.service.client_certificate" => match self.way.offer(value, self.now) {
                Some(Ok(())) => self.selected = Some(value.to_owned()),
                _ => return Err(Unsettable),
            },
            "ngx.upstream_uri" if value.starts_with('/') => {
                self.upstream_uri = value.parse().map_err(|_| Unsettable)?;
            }
            _ => return Err(Unsettable),
        }
        Ok(())
    }

    fn log(&mut self, level: Level, filter: &str, message: &str) {
        self.log.line(level, format_args!("request {}: {filter}: {message}", self.request_id));
        // What other filters may say is not known.
        if let (POLICY, Some(decision)) = (filter, &mut self.decision) {
            decision.because(message);
        }
    }
}

impl RequestProperties<'_> {
    /// What the filter mtls-policy orders: a certificate, then headers to take away, one a line.
    ///
    /// # Errors
    /// Why it cannot be done.
    fn allow(&mut self, order: &str) -> Result<(), &'static str> {
        let (certificate, names) = order.split_once('\n').unwrap_or((order, ""));
        if !certificate.is_empty() {
            match self.offer(certificate) {
                Some("in_force") => self.selected = Some(certificate.to_owned()),
                Some(why) => return Err(why),
                None => return Err("the plugin upstream-mtls is not in force for this request"),
            }
        }
        for name in names.lines() {
            self.cleared.push(name.parse().map_err(|_| "a header's name is none")?);
        }
        Ok(())
    }

    /// In the words that the plugin on Kong uses; the log has it at length since the files were read.
    fn offer(&mut self, name: &str) -> Option<&'static str> {
        Some(match self.way.offer(name, self.now)? {
            Ok(()) => "in_force",
            Err(no) => {
                self.refused = Some((name.to_owned(), no.word()));
                no.word()
            }
        })
    }
}

/// What has no name has no property of it.
fn named(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// What filters are told outside of requests.
#[derive(Clone)]
pub(super) struct OutsideProperties(pub(super) Log);

impl Properties for OutsideProperties {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        match path {
            "kong.version" => Some(VERSION.into()),
            // Envoy's, and not Kong's: this gateway keeps its last configuration, as Envoy does, and filters know hosts
            // that do by it.
            "node.id" => Some("embedded".into()),
            _ => None,
        }
    }

    fn set(&mut self, _path: &str, _value: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }

    fn log(&mut self, level: Level, filter: &str, message: &str) {
        self.0.line(level, format_args!("{filter}: {message}"));
    }
}

/// The Kong that this gateway behaves as.
const VERSION: &str = "3.9.1";
pub(super) const SERVED_BY: &str = "kong/3.9.1";

const ALLOW: &str = "kong.mtls_policy.allow.";
const CERTIFICATES: &str = "kong.client_certificates.";
/// The filter that decides.
pub(super) const POLICY: &str = "mtls-policy";
const SHARED: &str = "kong.ctx.shared.";
