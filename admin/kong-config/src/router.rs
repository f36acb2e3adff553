//! Which route a request takes: the router of Kong 3.9 in its default flavor, traditional_compatible.

mod matcher;
mod priority;

use http::HeaderMap;

use super::uri::{Strip, Target};
use crate::declarative::{Config, PathMatch, Route};
use matcher::Matcher;

/// The routes of a config, in the order in which they are tried.
pub struct Router {
    matchers: Vec<Matcher>,
}

/// What of a request decides on its route.
pub struct RouteRequest<'r> {
    pub method: &'r str,
    /// The Host header as it came, with its port if it has one.
    pub host: Option<&'r str>,
    /// The port that the request came in at; what counts where the Host header has none.
    pub port: u16,
    pub target: &'r Target,
    pub headers: &'r HeaderMap,
}

/// The route that a request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index into [`Config::routes`].
    pub route: usize,
    /// Index into [`Config::services`].
    pub service: usize,
    /// What strip_path takes off, Kong's X-Forwarded-Prefix; `None` where it is off, where the route has no
    /// paths, and for `/`.
    pub prefix: Option<String>,
    /// Path and query to send: after strip_path, below the service's path.
    pub upstream_uri: String,
}

impl Router {
    /// Puts a config's routes in order.
    pub fn new(config: &Config) -> Self {
        let matchers =
            |(index, route): (usize, &Route)| Matcher::of(index, route, &config.services[route.service]);
        let mut matchers: Vec<Matcher> = config.routes.iter().enumerate().flat_map(matchers).collect();
        // atc-router keeps (priority, id) in a map and walks it from the end: the greater id wins a tie.
        matchers.sort_by(|a, b| (b.priority, &b.id).cmp(&(a.priority, &a.id)));
        Self { matchers }
    }

    /// Indices of routes in the order in which they are tried, each with those of its paths that count there.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, &[PathMatch])> {
        self.matchers.iter().map(|matcher| (matcher.route, matcher.paths.as_slice()))
    }

    /// The route that the request takes. `None` is Kong's 404, `no Route matched with those values`.
    pub fn route(&self, request: &RouteRequest<'_>) -> Option<Match> {
        // A path that is no UTF-8 reaches no route: atc-router refuses the value, and Kong answers 404.
        let path = std::str::from_utf8(request.target.path()).ok()?;
        let (matcher, matched) =
            self.matchers.iter().find_map(|matcher| Some((matcher, matcher.matches(request, path)?)))?;
        let strip = if matcher.strip_path { Strip::Prefix(matched) } else { Strip::Nothing };
        let prefix = match strip {
            Strip::Prefix("" | "/") | Strip::Nothing => None,
            Strip::Prefix(prefix) => Some(prefix.to_owned()),
        };
        Some(Match {
            route: matcher.route,
            service: matcher.service,
            prefix,
            upstream_uri: request.target.for_upstream(strip, matcher.base.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests;
