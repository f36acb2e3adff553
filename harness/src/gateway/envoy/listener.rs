//! Where clients come in.

use std::net::SocketAddr;

use mtls_policy::policy::Format;
use serde_json::{Value, json};

use super::filters;

/// Where a listener gets its routes from.
pub enum Routes {
    /// A file, taken over when it changes (RDS).
    File(std::path::PathBuf),
    /// Envoy's `RouteConfiguration`, for good.
    Fixed(Value),
}

/// Envoy's `Listener` for clients.
pub fn proxy(address: SocketAddr, routes: Routes) -> Value {
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": PROXY,
        "codec_type": "HTTP1",
        "http_filters": [filters::placeholder(), router()],
        // Every client comes from outside: its x-envoy-* headers steer nothing, and its X-Request-Id is replaced.
        "use_remote_address": true,
        "internal_address_config": { "cidr_ranges": [{ "address_prefix": "0.0.0.0", "prefix_len": 32 }] },
        "always_set_request_id_in_response": true,
        "server_header_transformation": "PASS_THROUGH",
        // Before routes are matched; what an escaped slash means is left to the policy, as in Kong.
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "request_headers_timeout": "60s",
        "local_reply_config": { "mappers": [
            reply(&["NC"], 503, "No client certificate in force"),
            reply(&["NR"], 404, "no Route matched with those values"),
            // Envoy says 503 where Kong says 502, and 503 means here that there is no identity.
            reply(&["LR", "UC", "UF", "UPE", "UR", "URX"], 502, "An invalid response was received from the upstream server"),
            reply(&["UT"], 504, SLOW),
            // Silence after a whole request is the upstream's; before that it is the client's, and a 408.
            json!({
                "filter": { "and_filter": { "filters": [
                    { "response_flag_filter": { "flags": ["SI"] } },
                    { "status_code_filter": { "comparison": { "op": "EQ", "value": { "default_value": 504, "runtime_key": "none" } } } },
                ] } },
                "body_format_override": body(SLOW),
            }),
        ] },
    });
    match routes {
        Routes::File(path) => {
            manager["rds"] = json!({
                "route_config_name": super::routes::NAME,
                "config_source": { "resource_api_version": "V3", "path_config_source": { "path": path } },
            });
        }
        Routes::Fixed(routes) => manager["route_config"] = routes,
    }
    listener(PROXY, address, manager)
}

/// Envoy's `Listener` for whoever looks after it: `/ready` and metrics, of its admin interface, in the cluster `admin`.
pub fn status(address: SocketAddr) -> Value {
    let routes = ["/ready", "/stats/prometheus"].map(|path| {
        json!({
            "match": { "path": path, "headers": [{ "name": ":method", "string_match": { "exact": "GET" } }] },
            "route": { "cluster": ADMIN },
        })
    });
    listener(
        STATUS,
        address,
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": STATUS,
            "http_filters": [router()],
            "route_config": { "virtual_hosts": [{ "name": STATUS, "domains": ["*"], "routes": routes }] },
        }),
    )
}

fn listener(name: &str, address: SocketAddr, manager: Value) -> Value {
    json!({
        "name": name,
        "address": { "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } },
        "filter_chains": [{ "filters": [{ "name": "http", "typed_config": manager }] }],
    })
}

/// `x-envoy-*` headers are nobody's business, neither upstream nor downstream.
fn router() -> Value {
    json!({ "name": "router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        "suppress_envoy_headers": true,
    } })
}

/// Envoy's own answer where it has this flag, in Kong's words.
fn reply(flags: &[&str], status: u16, message: &str) -> Value {
    json!({
        "filter": { "response_flag_filter": { "flags": flags } },
        "status_code": status,
        "body_format_override": body(message),
    })
}

fn body(message: &str) -> Value {
    json!({
        "content_type": Format::Json.content_type(),
        "text_format_source": { "inline_string": Format::Json.body(message, "%REQ(X-REQUEST-ID)%") },
    })
}

const SLOW: &str = "The upstream server is timing out";

pub const PROXY: &str = "proxy";
pub const STATUS: &str = "status";
pub const ADMIN: &str = "admin";
