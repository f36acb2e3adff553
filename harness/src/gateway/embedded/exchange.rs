//! The way of one request: route, filters, certificate, upstream, and back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, SERVER, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{Request, Response, request};
use hyper::body::Incoming;
use time::OffsetDateTime;

use super::acceptable::acceptable;
use super::body::full;
use super::core::Core;
use super::failure::{self, Failed, Failure};
use super::filtering::Filtering;
use super::forward::{self, Forward};
use super::generation::Generation;
use super::headers::{self, Forwarded};
use super::metrics::Place;
use super::page::Decision;
use super::properties::{RequestProperties, SERVED_BY};
use super::upstream::{Body, NoWay, Terms, Way};
use kong_config::declarative::{Route, Service};
use kong_config::router::{Match, RouteRequest};
use kong_config::uri::Target;

/// Both ends of a client's connection.
#[derive(Clone, Copy)]
pub(super) struct Connection {
    pub(super) client: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Answers one request, whatever becomes of it.
pub(super) async fn answer(
    core: &Core,
    connection: Connection,
    request: Request<Incoming>,
) -> Response<Body> {
    let began = Instant::now();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let format = failure::format(request.headers());
    let exchange = Exchange { core, connection, id: &id, began };
    let generation = core.in_force();
    let mut place = Place::default();
    let mut decision = core.page.as_ref().map(|_| Decision::on(request.method(), request.uri()));
    let ran = exchange.run(&generation, request, &mut place, decision.as_mut()).await;
    let (by, mut response) = match ran {
        Ok(answered) => answered,
        Err(Failed { failure, why }) => {
            core.log.line(failure.level(), format_args!("request {id}: {}: {why}", failure.name()));
            if let Some(decision) = &mut decision {
                decision.because(&why);
            }
            (failure.name(), failure.response(format, &id).map(full))
        }
    };
    core.counters.count(by);
    let source = if by == PROXIED { "service" } else { "kong" };
    core.metrics.answered(place, response.status().as_u16(), source);
    if let (Some(page), Some(decision)) = (&core.page, decision) {
        page.decisions.keep(decision.answered(place, by, response.status()));
    }
    let headers = response.headers_mut();
    if by != PROXIED {
        headers.insert(SERVER, HeaderValue::from_static(SERVED_BY));
        headers.insert(RESPONSE_LATENCY, forward::milliseconds(began));
    }
    headers::set(headers, REQUEST_ID, Some(&id));
    response
}

/// What the counters call the answer, and the answer.
type Answered = (&'static str, Response<Body>);

struct Exchange<'e> {
    core: &'e Core,
    connection: Connection,
    id: &'e str,
    began: Instant,
}

impl Exchange<'_> {
    /// Says in `place` what the request is for, as soon as that is known.
    async fn run<'g>(
        &self,
        generation: &'g Generation,
        request: Request<Incoming>,
        place: &mut Place<'g>,
        decision: Option<&mut Decision>,
    ) -> Result<Answered, Failed> {
        let (mut head, body) = request.into_parts();
        let authority = acceptable(&head)?;
        let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let target = Target::parse(target).map_err(|error| Failed::new(Failure::BadRequest, error))?;
        let found = self.route(generation, &head, &authority, &target)?;
        let Found { index, route, service, way, prefix, upstream_uri } = found;
        *place = Place { route: route.label(), service: service.label() };

        headers::strip_hop_by_hop(&mut head.headers);
        let mut properties = RequestProperties {
            log: &self.core.log,
            request_id: self.id,
            route,
            service,
            way,
            now: OffsetDateTime::now_utc(),
            upstream_uri,
            selected: None,
            refused: None,
            decision,
            cleared: Vec::new(),
            shared: HashMap::new(),
        };
        // To ngx_wasm_module the authority is nginx' server_name, which Kong sets, and the port that was come in at;
        // whom the client asked for is in the header `host` (ngx_proxy_wasm_maps_get_authority).
        let server = format!("kong:{}", self.connection.local.port());
        let mut filtering = Filtering::start(generation.chain(index));
        if let Some(response) = filtering.request(&mut head, &target, &server, &mut properties)? {
            let (name, word) = properties.refused.unwrap_or_else(|| (String::new(), "nothing selected"));
            self.tell(way, *place, &name, word);
            if let Some(decision) = &mut properties.decision {
                decision.asks_for(&name);
            }
            return Ok((ANSWERED_BY_FILTER, response));
        }

        if let Some(decision) = &mut properties.decision {
            decision.allowed(route, service, &head.headers, way.presents(properties.selected.as_deref()));
        }
        let terms = self.terms(way, *place, &properties).map_err(no_way)?;
        let destination = &way.destination;
        let client = (self.core.pools.client(destination, &terms))
            .map_err(|error| Failed::new(Failure::NoCertificate, error))?;
        let host = if route.preserve_host { authority.to_string() } else { destination.authority() };
        self.address(&mut head, &host, authority.host(), prefix.as_deref())?;
        let (log, request_id, began) = (&self.core.log, self.id, self.began);
        let forward = Forward { client, service, destination, log, request_id, began };
        let mut response = forward.send(head, &properties.upstream_uri, body).await?;
        filtering.response(&mut response, &mut properties);
        Ok((PROXIED, response))
    }

    /// The terms for the upstream, and what becomes of a client certificate told in the plugin's words.
    fn terms(&self, way: &Way, place: Place<'_>, properties: &RequestProperties<'_>) -> Result<Terms, NoWay> {
        let selected = properties.selected.as_deref();
        let terms = way.terms(selected, properties.now);
        match &terms {
            Ok(Terms { certificate: Some(_), .. }) => {
                self.tell(way, place, selected.or(way.default()).unwrap_or_default(), "presented");
            }
            Ok(Terms { certificate: None, .. }) => self.tell(way, place, "", "nothing to present"),
            Err(NoWay::Revocations(_)) => self.tell(way, place, "", "no revocation lists"),
            Err(NoWay::Trust(_)) => self.tell(way, place, "", "no trust anchors"),
            Err(no @ NoWay::Certificate { name, .. }) => self.tell(way, place, name, no.word()),
            Err(NoWay::Plaintext) => {}
        }
        terms
    }

    /// Where the plugin has no part in the request it tells nothing on Kong either.
    fn tell(&self, way: &Way, place: Place<'_>, name: &str, outcome: &'static str) {
        if way.plugin.is_some() && way.destination.https {
            self.core.metrics.presented(place, name, outcome);
        }
    }

    fn route<'g>(
        &self,
        generation: &'g Generation,
        head: &request::Parts,
        authority: &Authority,
        target: &Target,
    ) -> Result<Found<'g>, Failed> {
        let request = RouteRequest {
            method: head.method.as_str(),
            host: Some(authority.as_str()),
            port: self.connection.local.port(),
            target,
            headers: &head.headers,
        };
        let Match { route: index, service, prefix, upstream_uri } = (generation.router.route(&request))
            .ok_or_else(|| Failed::new(Failure::NoRoute, format_args!("{} {authority}", head.method)))?;
        let broken = || Failed::new(Failure::FilterTrapped, "the router found what is not there");
        Ok(Found {
            index,
            route: generation.config.routes.get(index).ok_or_else(broken)?,
            service: generation.config.services.get(service).ok_or_else(broken)?,
            way: generation.upstreams.way(index).ok_or_else(broken)?,
            prefix,
            upstream_uri: upstream_uri.parse().map_err(|error| Failed::new(Failure::BadRequest, error))?,
        })
    }

    /// Sets what no filter has a say in.
    fn address(
        &self,
        head: &mut request::Parts,
        host: &str,
        asked_host: &str,
        prefix: Option<&str>,
    ) -> Result<(), Failed> {
        let host = HeaderValue::from_str(host).map_err(|error| Failed::new(Failure::BadRequest, error))?;
        head.headers.insert(HOST, host);
        // How the body is framed is the connection's business, and hyper knows how long it is.
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
        let forwarded = Forwarded {
            client: self.connection.client,
            port: self.connection.local.port(),
            host: asked_host,
            path: head.uri.path(),
            prefix,
        };
        forwarded.set(&mut head.headers);
        headers::set(&mut head.headers, REQUEST_ID, Some(self.id));
        Ok(())
    }
}

/// A route, and what goes with it.
struct Found<'g> {
    index: usize,
    route: &'g Route,
    service: &'g Service,
    way: &'g Way,
    prefix: Option<String>,
    upstream_uri: PathAndQuery,
}

fn no_way(no: NoWay) -> Failed {
    let failure = if matches!(no, NoWay::Trust(_) | NoWay::Revocations(_)) {
        Failure::NoTrust
    } else {
        Failure::NoCertificate
    };
    Failed::new(failure, no)
}

const PROXIED: &str = "proxied";
const ANSWERED_BY_FILTER: &str = "answered_by_filter";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
