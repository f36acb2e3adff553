//! The gateway as the filter meets it: how a request is read, how it is changed, how a certificate is selected.
//!
//! There are two kinds of host, told apart by the property `ngx.upstream_uri`, which is there on Kong only:
//!
//! | | Kong 3.6 to 3.9 | Envoy and its like |
//! |---|---|---|
//! | what the upstream will receive | `ngx.upstream_uri` | `:path`, as the route will rewrite it |
//! | changing it | `ngx.upstream_uri`; writing `:path` has no effect there | `:path` |
//! | the host that the client asked for | the header `host`; `:authority` is the server's own name | `:authority` |
//! | may a certificate be selected | `kong.client_certificates.NAME` reads `in_force` | the route's metadata has an offer |
//! | selecting it | `kong.service.client_certificate` | `upstream_mtls.client_certificate` |
//! | selecting none | `kong.ctx.shared.mtls_policy` becomes `allowed` | the same property, a word that is no name |
//! | taking a header away | `kong.service.request.cleared_headers`; what a filter removes is sent all the same | removing it |
//! | whom the gateway has established | `kong.client.consumer.FIELD` | nobody |
//!
//! What a route of Envoy says in its metadata is in [`envoy`]. The properties of Kong that are not its own are answered
//! by the plugin upstream-mtls. They are read before they are written: writing one that nobody answers ends the
//! filter, and the client gets a bare 500.

use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};

use crate::envoy::{self, Offer, PathRewrite};
use crate::policy::{
    Certificate, CertificateName, Edit, Edits, Established, Format, Header, Refusal, Request, Target,
};

/// A request as the host handed it over.
pub(crate) struct Exchange {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    host: Host,
    now: i64,
    established: Option<Owned>,
}

/// Which kind of host, and on Kong what the upstream will receive.
enum Host {
    Envoy { upstream_target: Vec<u8> },
    Kong { upstream_uri: Vec<u8> },
}

/// A consumer whom the gateway's own authentication has established.
struct Owned {
    id: Option<String>,
    username: Option<String>,
    custom_id: Option<String>,
    credential: Option<String>,
    groups: String,
}

impl Exchange {
    /// Reads the request; who is asking only if the gateway is to say so.
    ///
    /// # Errors
    /// The host does not hand it over.
    pub(crate) fn read(ask_the_gateway: bool) -> Result<Self, Status> {
        let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders)?;
        let host = match hostcalls::get_property(vec!["ngx", "upstream_uri"])? {
            Some(upstream_uri) => Host::Kong { upstream_uri },
            None => Host::Envoy { upstream_target: upstream_target(&headers)? },
        };
        let now =
            hostcalls::get_current_time()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let established = if ask_the_gateway { Some(Owned::read()?) } else { None };
        Ok(Self {
            headers: headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect(),
            host,
            now: i64::try_from(now).unwrap_or(i64::MAX),
            established,
        })
    }

    /// Whom the gateway has established, if it was asked.
    pub(crate) fn established(&self) -> Option<Established<'_>> {
        self.established.as_ref().map(Owned::lend)
    }

    pub(crate) fn request<'r>(
        &'r self,
        established: Option<&'r Established<'r>>,
    ) -> Request<'r, impl Iterator<Item = Header<'r>>> {
        Request {
            method: self.first(b":method"),
            authority: match &self.host {
                Host::Envoy { .. } => self.first(b":authority"),
                // Kong's `:authority` is the server's own name, `kong:8000`.
                Host::Kong { .. } => self.first(b"host"),
            },
            target: Target::of(match &self.host {
                Host::Envoy { upstream_target } => upstream_target,
                Host::Kong { upstream_uri } => upstream_uri,
            }),
            headers: self.headers(),
            body: &[],
            established,
            now: self.now,
        }
    }

    /// Whether the gateway can present a certificate now; if not, why.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn is_in_force(&self, certificate: &CertificateName) -> Result<Result<(), String>, Status> {
        match self.host {
            Host::Envoy { .. } => {
                let offer = route_metadata(&[envoy::CLIENT_CERTIFICATES, certificate.as_str()])?;
                Ok(match offer {
                    Some(offer) => Offer::parse(&offer).at(self.now),
                    None => Err("the route has none of this name".to_owned()),
                })
            }
            Host::Kong { .. } => {
                let state =
                    hostcalls::get_property(vec!["kong", "client_certificates", certificate.as_str()])?;
                Ok(match state.as_deref() {
                    Some(b"in_force") => Ok(()),
                    Some(reason) => Err(String::from_utf8_lossy(reason).into_owned()),
                    None => Err("the plugin upstream-mtls is not in force for this request".to_owned()),
                })
            }
        }
    }

    /// Tells the gateway which certificate to present.
    ///
    /// On Kong the plugin upstream-mtls lets no request to its upstream before it has heard of a decision.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn select(&self, certificate: Certificate<'_>) -> Result<(), Status> {
        let (property, value) = match (&self.host, certificate) {
            (Host::Envoy { .. }, Certificate::Present(name)) => (vec![envoy::SELECTED], name.as_str()),
            // What another filter has selected stays so.
            (Host::Envoy { .. }, Certificate::Unchanged) => match text(&[envoy::SELECTED])? {
                Some(_) => return Ok(()),
                None => (vec![envoy::SELECTED], envoy::UNCHANGED),
            },
            (Host::Kong { .. }, Certificate::Present(name)) => {
                (vec!["kong", "service", "client_certificate"], name.as_str())
            }
            // Kong takes this one with and without the plugin.
            (Host::Kong { .. }, Certificate::Unchanged) => {
                (vec!["kong", "ctx", "shared", "mtls_policy"], "allowed")
            }
        };
        hostcalls::set_property(property, Some(value.as_bytes()))
    }

    /// Whether the gateway can take headers away, if these edits take any.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn can_apply(&self, edits: &Edits<'_>) -> Result<bool, Status> {
        let takes_away = edits.headers.iter().any(|edit| matches!(edit, Edit::Remove(_)));
        match self.host {
            Host::Kong { .. } if takes_away => {
                Ok(hostcalls::get_property(CLEARED_HEADERS.to_vec())?.is_some())
            }
            Host::Envoy { .. } | Host::Kong { .. } => Ok(true),
        }
    }

    /// Changes what goes upstream.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn apply(&self, edits: &Edits<'_>) -> Result<(), Status> {
        self.clear(edits.headers.iter().filter_map(|edit| match edit {
            Edit::Remove(name) => Some(*name),
            Edit::Set(..) => None,
        }))?;
        for edit in &edits.headers {
            if let Edit::Set(name, value) = edit {
                hostcalls::set_map_value_bytes(
                    MapType::HttpRequestHeaders,
                    name.as_str(),
                    Some(value.as_bytes()),
                )?;
            }
        }
        match (&edits.target, &self.host) {
            (None, _) => Ok(()),
            (Some(target), Host::Envoy { .. }) => {
                let target = envoy::with_query_of(self.first(b":path"), target);
                hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, ":path", Some(&target))
            }
            (Some(target), Host::Kong { .. }) => {
                hostcalls::set_property(vec!["ngx", "upstream_uri"], Some(target))
            }
        }
    }

    fn clear<'n>(&self, mut names: impl Iterator<Item = &'n [u8]>) -> Result<(), Status> {
        match self.host {
            Host::Envoy { .. } => names.try_for_each(|name| {
                let name = std::str::from_utf8(name).map_err(|_| Status::BadArgument)?;
                hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, None)
            }),
            Host::Kong { .. } => match names.collect::<Vec<_>>().join(&b'\n') {
                none if none.is_empty() => Ok(()),
                names => hostcalls::set_property(CLEARED_HEADERS.to_vec(), Some(&names)),
            },
        }
    }

    /// Answers the client.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn refuse(&self, refusal: &Refusal<'_>) -> Result<(), Status> {
        let format = Format::preferred(self.headers(), is_http2()?);
        answer(refusal, format)
    }

    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    fn first(&self, name: &[u8]) -> &[u8] {
        self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map_or(b"", |(_, value)| value)
    }
}

/// Names of headers that the upstream is not to get, one a line.
const CLEARED_HEADERS: [&str; 4] = ["kong", "service", "request", "cleared_headers"];

/// Answers a client of whose request nothing is known.
///
/// # Errors
/// The host fails.
pub(crate) fn refuse_unread(refusal: &Refusal<'_>) -> Result<(), Status> {
    answer(refusal, Format::Json)
}

fn answer(refusal: &Refusal<'_>, format: Format) -> Result<(), Status> {
    let request_id = match text(&["ngx", "kong_request_id"])? {
        Some(id) => id,
        // Envoy's, its X-Request-Id.
        None => text(&["request", "id"])?.unwrap_or_default(),
    };
    let body = refusal.body(format, &request_id);
    let grpc_status = refusal.grpc_status().to_string();
    let mut headers = vec![("content-type", format.content_type())];
    headers.extend(refusal.challenge.map(|challenge| ("www-authenticate", challenge)));
    if format == Format::Grpc {
        headers.push(("grpc-status", &grpc_status));
    }
    hostcalls::send_http_response(refusal.status.into(), headers, Some(body.as_bytes()))
}

fn is_http2() -> Result<bool, Status> {
    Ok(text(&["request", "protocol"])?.is_some_and(|protocol| protocol.starts_with("HTTP/2")))
}

impl Owned {
    fn read() -> Result<Self, Status> {
        let field = |name| text(&["kong", "client", "consumer", name]);
        Ok(Self {
            id: field("id")?,
            username: field("username")?,
            custom_id: field("custom_id")?,
            credential: field("credential")?,
            groups: field("groups")?.unwrap_or_default(),
        })
    }

    fn lend(&self) -> Established<'_> {
        Established {
            id: self.id.as_deref(),
            username: self.username.as_deref(),
            custom_id: self.custom_id.as_deref(),
            credential: self.credential.as_deref(),
            groups: self.groups.split('\n').filter(|group| !group.is_empty()).collect(),
        }
    }
}

/// `:path` as the route will rewrite it.
fn upstream_target(headers: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Status> {
    let path = headers.iter().find(|(name, _)| name == ":path").map_or(&[][..], |(_, value)| value);
    match route_metadata(&[envoy::PATH_REWRITE])? {
        Some(rewrite) => {
            PathRewrite::parse(&rewrite).and_then(|rewrite| rewrite.apply(path)).ok_or(Status::BadArgument)
        }
        None => Ok(path.to_vec()),
    }
}

fn route_metadata(path: &[&str]) -> Result<Option<String>, Status> {
    text(&[&["xds", "route_metadata", "filter_metadata", envoy::NAMESPACE], path].concat())
}

/// An empty property says as little as an absent one: a consumer without a name is none.
fn text(property: &[&str]) -> Result<Option<String>, Status> {
    let value = hostcalls::get_property(property.to_vec())?;
    Ok(value.filter(|value| !value.is_empty()).map(|value| String::from_utf8_lossy(&value).into_owned()))
}
