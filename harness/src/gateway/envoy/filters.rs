//! A route's filters: the wasm filters of its service and its own, and what makes their choice count.
//!
//! They stand in the route itself (the filter `filter_chain`), not in the listener: a new config then counts from the
//! next request on, on connections that are open too. A new listener would let its old connections go on under the
//! config before, for minutes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use kong_config::declarative::Filter;

/// What a listener's `http_filters` has to hold, for [`chain`] to count.
pub fn placeholder() -> Value {
    json!({ "name": NAME, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig",
    } })
}

/// A route's `typed_per_filter_config`.
pub fn chain<'f>(filters: impl Iterator<Item = &'f Filter>, directory: &Path) -> Value {
    let mut choosing = false;
    let filter = |(index, filter): (_, &Filter)| {
        own(filter, directory).unwrap_or_else(|| {
            choosing = true;
            wasm(index, filter, directory)
        })
    };
    let mut chain: Vec<_> = filters.enumerate().map(filter).collect();
    // Without a filter's own doing: the route, chosen before its filters ran, is looked up again, and with it the
    // cluster. Where that did not happen, there would be no cluster: nothing is sent.
    let choice = choosing.then(|| {
        json!({ "name": "choice", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
        "clear_route_cache": true,
    } })
    });
    chain.extend(choice);
    json!({ NAME: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfigPerRoute",
        "filter_chain": { "filters": chain },
    } })
}

/// One of Envoy's own: its file holds the `@type`, and what stands there whatever the filter's config says.
fn own(filter: &Filter, directory: &Path) -> Option<Value> {
    let base = fs::read(own_type(&filter.name, directory)).ok()?;
    let mut typed: Map<String, Value> = serde_json::from_slice(&filter.config).unwrap_or_default();
    typed.extend(serde_json::from_slice::<Map<String, Value>>(&base).ok()?);
    Some(json!({ "name": filter.name, "typed_config": typed }))
}

/// Where the type of one of Envoy's own filters stands, beside the modules of others.
fn own_type(name: &str, directory: &Path) -> PathBuf {
    directory.join(format!("{name}{OWN}"))
}

/// How a file ends that makes a name that of one of Envoy's own filters.
pub const OWN: &str = ".envoy.json";

/// All filters of one name have one VM per worker; each config is a root context in it.
fn wasm(index: usize, filter: &Filter, directory: &Path) -> Value {
    let Filter { name, config, place: _ } = filter;
    json!({ "name": format!("{name}-{index}"), "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": name,
            // A filter that broke is started anew; until it is, there are 503s. Never FAIL_OPEN.
            "failure_policy": "FAIL_RELOAD",
            "vm_config": {
                "vm_id": name,
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": directory.join(format!("{name}.wasm")) } },
            },
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": String::from_utf8_lossy(config),
            },
        },
    } })
}

const NAME: &str = "filters";
