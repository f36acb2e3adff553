//! The gateway as the filter meets it: how a request is read, how it is changed, how a certificate is selected.
//!
//! There are two kinds of host, told apart by the property `ngx.upstream_uri`, which is there on Kong only:
//!
//! | | Kong 3.6 to 3.9 | Envoy and its like |
//! |---|---|---|
//! | what the upstream will receive | `ngx.upstream_uri` | `:path`, as the route will rewrite it |
//! | changing it | `ngx.upstream_uri`; writing `:path` has no effect there | `:path` |
//! | the host that the client asked for | the header `host`; `:authority` is the server's own name | `:authority` |
//! | may a certificate be selected | reading `kong.mtls_policy.allow.…` does it, or says why not | the route's metadata has an offer |
//! | selecting it | the same | `upstream_mtls.client_certificate` |
//! | selecting none | the same; nothing without the plugin upstream-mtls | the same property, a word that is no name |
//! | taking a header away | the same; what a filter removes is sent all the same | removing it |
//! | established consumer | `kong.client.consumer.FIELD` | none |
//! | an invalid policy | closes its root context | is rejected; the last configuration stays |
//!
//! What a route of Envoy says in its metadata is in [`envoy`]. The properties of Kong that are not its own are answered
//! by the plugin upstream-mtls. An order to it is the name of a property that is read, not a value that is written: one
//! call out of wasm into Lua does all of it and brings an answer, while writing what nobody answers ends the filter, and
//! the client gets a bare 500.

use std::cell::Cell;

use crate::abi::{self, Status};
use crate::envoy::{self, Offer, PathRewrite};
use crate::pairs::Pairs;
use crate::policy::{
    Allow, Certificate, Edit, Established, Format, Header, Policy, Refusal, Request, Target,
};

/// A request as the host handed it over.
pub(crate) struct Exchange {
    headers: Pairs,
    host: Host,
    /// What the upstream will receive; empty where the policy does not look at it.
    target: Vec<u8>,
    /// 0 where nothing depends on it.
    now: i64,
    established: Option<Owned>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    Envoy,
    Kong,
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
    /// Reads what a policy looks at.
    ///
    /// # Errors
    /// The host does not hand it over.
    pub(crate) fn read(policy: &Policy) -> Result<Self, Status> {
        let host = Host::find()?;
        let headers = abi::request_headers()?;
        let wanted = policy.wants().path || policy.wants().query;
        let target = match host {
            _ if !wanted => Vec::new(),
            // What the route does to the path changes nothing in the query.
            Host::Envoy if !policy.wants().path => first(&headers, b":path").to_vec(),
            Host::Envoy => rewritten(first(&headers, b":path"))?,
            Host::Kong => abi::property(UPSTREAM_URI)?.ok_or(Status::BAD_ARGUMENT)?,
        };
        let established = match host {
            _ if policy.asks_the_gateway() => Some(Owned::read()?),
            Host::Kong if policy.keeps_established() => Owned::read_authenticated()?,
            Host::Envoy | Host::Kong => None,
        };
        // On Envoy certificates have windows too, whatever the keys have.
        let now = if policy.wants().time || host == Host::Envoy { abi::now()? } else { 0 };
        Ok(Self { headers, host, target, now, established })
    }

    /// The consumer that the gateway has established, if the policy looks at it.
    pub(crate) fn established(&self) -> Option<Established<'_>> {
        self.established.as_ref().map(Owned::lend)
    }

    pub(crate) fn request<'r>(
        &'r self,
        established: Option<&'r Established<'r>>,
    ) -> Request<'r, impl Iterator<Item = Header<'r>>> {
        Request {
            method: self.first(b":method"),
            authority: match self.host {
                Host::Envoy => self.first(b":authority"),
                // Kong's `:authority` is the server's own name, `kong:8000`.
                Host::Kong => self.first(b"host"),
            },
            target: Target::of(&self.target),
            headers: self.headers.iter(),
            body: &[],
            established,
            now: self.now,
        }
    }

    /// Has the gateway do what a decision says, or says why it cannot.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn carry_out<'a>(&self, allow: &Allow<'a>) -> Result<Result<(), Refusal<'a>>, Status> {
        let removed = || {
            allow.edits.headers.iter().filter_map(|edit| match edit {
                Edit::Remove(name) => Some(*name),
                Edit::Set(..) => None,
            })
        };
        let outcome = match self.host {
            Host::Envoy => self.select_on_envoy(allow.certificate)?,
            Host::Kong => order_of_kong(allow.certificate, removed())?,
        };
        if outcome.is_err() {
            return Ok(outcome);
        }
        if self.host == Host::Envoy {
            removed().try_for_each(abi::remove_request_header)?;
        }
        for edit in &allow.edits.headers {
            if let Edit::Set(name, value) = edit {
                abi::set_request_header(name.as_str(), value.as_bytes())?;
            }
        }
        if let Some(cookies) = &allow.edits.cookies {
            abi::set_request_header("Cookie", cookies)?;
        }
        match (&allow.edits.target, self.host) {
            (None, _) => (),
            (Some(target), Host::Envoy) => {
                let target = envoy::with_query_of(self.first(b":path"), target);
                abi::set_request_header(":path", &target)?;
            }
            (Some(target), Host::Kong) => abi::set_property(UPSTREAM_URI, target)?,
        }
        Ok(Ok(()))
    }

    fn select_on_envoy<'a>(&self, certificate: Certificate<'a>) -> Result<Result<(), Refusal<'a>>, Status> {
        let Certificate::Present(name) = certificate else {
            // What another filter has selected stays so.
            if text(&[envoy::SELECTED])?.is_none() {
                abi::set_property(&[envoy::SELECTED.as_bytes()], envoy::UNCHANGED.as_bytes())?;
            }
            return Ok(Ok(()));
        };
        match offered(name.as_str(), self.now)? {
            Ok(()) => abi::set_property(&[envoy::SELECTED.as_bytes()], name.as_str().as_bytes()).map(Ok),
            Err(because) => Ok(Err(Refusal::not_in_force(name.as_str(), because))),
        }
    }

    /// Answers the client.
    ///
    /// # Errors
    /// The host fails.
    pub(crate) fn refuse(&self, refusal: &Refusal<'_>) -> Result<(), Status> {
        let format = Format::preferred(self.headers.iter(), is_http2()?);
        answer(refusal, format)
    }

    fn first(&self, name: &[u8]) -> &[u8] {
        first(&self.headers, name)
    }
}

/// Whether the host keeps its last configuration where a filter rejects a new one.
///
/// Envoy does. Kong does not: it stops rebuilding the filter chains of all routes. While a filter is configured Kong
/// has none of the properties of its requests, so the hosts are told apart by one of Envoy's: the id of its node.
/// ngx_wasm_module has no property of that name; a host that is not known is treated as Kong.
pub(crate) fn keeps_last_configuration() -> bool {
    matches!(abi::property(&[b"node", b"id"]), Ok(Some(_)))
}

/// Tells the plugin upstream-mtls that a request is rejected because its policy is invalid; it keeps the metric. Reading
/// a property that nothing answers changes nothing.
pub(crate) fn count_invalid_policy() {
    let _ = abi::property(&[b"kong", b"mtls_policy", b"invalid"]);
}

impl Host {
    /// It stays the same as long as there is one; the first request tells.
    fn find() -> Result<Self, Status> {
        thread_local!(static FOUND: Cell<Option<Host>> = const { Cell::new(None) });
        if let Some(host) = FOUND.get() {
            return Ok(host);
        }
        let host = if abi::property(UPSTREAM_URI)?.is_some() { Self::Kong } else { Self::Envoy };
        FOUND.set(Some(host));
        Ok(host)
    }
}

/// Whether the route can present a certificate now, or why not.
///
/// A yes counts for the second that it is about: reading a route's metadata costs Envoy more than all the rest of a
/// request's decision. A yes that is a second too old lets nothing through: the name has no cluster then.
fn offered(name: &str, now: i64) -> Result<Result<(), String>, Status> {
    /// A certificate's name in its policy, by its address, and the second.
    type Yes = Cell<(usize, i64)>;
    thread_local!(static SAID: [Yes; 64] = const { [const { Cell::new((0, 0)) }; 64] });
    let place = name.as_ptr().addr();
    let known = |said: &[Yes; 64]| said[place / 8 % 64].get() == (place, now);
    if SAID.with(known) {
        return Ok(Ok(()));
    }
    let offer = match route_metadata(&[envoy::CLIENT_CERTIFICATES, name])? {
        Some(offer) => Offer::parse(&offer).at(now),
        None => Err("the route has none of this name".to_owned()),
    };
    if offer.is_ok() {
        SAID.with(|said| said[place / 8 % 64].set((place, now)));
    }
    Ok(offer)
}

/// Has the plugin upstream-mtls present a certificate and take headers away, or says why it cannot.
///
/// The plugin lets no request to its upstream before it has heard of a decision.
fn order_of_kong<'a, 'n>(
    certificate: Certificate<'a>,
    removed: impl Iterator<Item = &'n [u8]>,
) -> Result<Result<(), Refusal<'a>>, Status> {
    let mut order = Vec::with_capacity(USUAL_ORDER);
    if let Certificate::Present(name) = certificate {
        order.extend(name.as_str().as_bytes());
    }
    let unchanged = order.is_empty();
    for name in removed {
        order.push(b'\n');
        order.extend(name);
    }
    let answer = abi::property(&[b"kong", b"mtls_policy", b"allow", &order])?;
    let cannot = |because: &str| match certificate {
        Certificate::Present(name) => Err(Refusal::not_in_force(name.as_str(), because.to_owned())),
        Certificate::Unchanged => Err(Refusal::CANNOT_CLEAR),
    };
    match answer.as_deref() {
        Some(b"done") => Ok(Ok(())),
        Some(because) => Ok(cannot(&String::from_utf8_lossy(because))),
        // Without the plugin upstream-mtls there is nothing to change, and nothing waits for the decision.
        None if unchanged && order.is_empty() => Ok(Ok(())),
        None => Ok(cannot("the plugin upstream-mtls is not in force for this request")),
    }
}

/// A certificate's name, and that of a key's header.
const USUAL_ORDER: usize = 128;

const UPSTREAM_URI: &[&[u8]] = &[b"ngx", b"upstream_uri"];

fn first<'h>(headers: &'h Pairs, name: &[u8]) -> &'h [u8] {
    headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map_or(b"", |(_, value)| value)
}

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
    abi::respond(refusal.status, &headers, body.as_bytes())
}

fn is_http2() -> Result<bool, Status> {
    Ok(text(&["request", "protocol"])?.is_some_and(|protocol| protocol.starts_with("HTTP/2")))
}

impl Owned {
    fn read() -> Result<Self, Status> {
        Self::with_credential(Self::field("credential")?)
    }

    /// `None` where no credential was established. Then nothing else is read: most requests have none.
    fn read_authenticated() -> Result<Option<Self>, Status> {
        Self::field("credential")?.map(|credential| Self::with_credential(Some(credential))).transpose()
    }

    fn with_credential(credential: Option<String>) -> Result<Self, Status> {
        Ok(Self {
            id: Self::field("id")?,
            username: Self::field("username")?,
            custom_id: Self::field("custom_id")?,
            credential,
            groups: Self::field("groups")?.unwrap_or_default(),
        })
    }

    fn field(name: &str) -> Result<Option<String>, Status> {
        text(&["kong", "client", "consumer", name])
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
fn rewritten(path: &[u8]) -> Result<Vec<u8>, Status> {
    match route_metadata(&[envoy::PATH_REWRITE])? {
        Some(rewrite) => {
            PathRewrite::parse(&rewrite).and_then(|rewrite| rewrite.apply(path)).ok_or(Status::BAD_ARGUMENT)
        }
        None => Ok(path.to_vec()),
    }
}

fn route_metadata(path: &[&str]) -> Result<Option<String>, Status> {
    text(&[&["xds", "route_metadata", "filter_metadata", envoy::NAMESPACE], path].concat())
}

/// An empty property says as little as an absent one: a consumer without a name is none.
fn text(property: &[&str]) -> Result<Option<String>, Status> {
    let path: Vec<_> = property.iter().map(|segment| segment.as_bytes()).collect();
    let value = abi::property(&path)?;
    Ok(value.filter(|value| !value.is_empty()).map(|value| String::from_utf8_lossy(&value).into_owned()))
}
