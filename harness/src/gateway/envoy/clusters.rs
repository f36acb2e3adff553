//! A way of connecting as one of Envoy's clusters.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::plan::{Cluster, Secret, Trust};
use super::seconds;
use crate::gateway::embedded::upstream::Destination;
use kong_config::declarative::UpstreamName;

/// Where Envoy finds secrets.
#[derive(Clone, Debug)]
pub enum Sds {
    /// Files in a directory, each with one secret: taken over when they change.
    Files(PathBuf),
    /// The bootstrap config itself: read once.
    Bootstrap,
}

impl Sds {
    fn reference(&self, secret: &Secret) -> Value {
        let mut reference = json!({ "name": secret.name });
        if let Self::Files(directory) = self {
            reference["sds_config"] = json!({
                "resource_api_version": "V3",
                "initial_fetch_timeout": "5s",
                "path_config_source": { "path": directory.join(secret.file_name()) },
            });
        }
        reference
    }
}

impl Cluster {
    /// Envoy's `Cluster`.
    pub fn resource(&self, name: &str, sds: &Sds) -> Value {
        let Destination { https, host, port, connect_timeout, retries: _ } = &*self.destination;
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let fixed = literal.parse::<IpAddr>().is_ok();
        let endpoint = json!({ "address": { "socket_address": { "address": literal, "port_value": port } } });
        let mut cluster = json!({
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": name,
            "type": if fixed { "STATIC" } else { "STRICT_DNS" },
            "connect_timeout": seconds(*connect_timeout),
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
            // Kong has no such bounds, and a request that meets one would be refused for nothing.
            "circuit_breakers": { "thresholds": [UNBOUNDED.iter().map(|name| (*name).to_owned())
                .zip(std::iter::repeat(json!(u32::MAX)))
                .collect::<Map<_, _>>()] },
            "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http_protocol_options": {} },
                // Kong's `upstream_keepalive_idle_timeout`.
                "common_http_protocol_options": { "idle_timeout": "60s" },
            } },
        });
        if !fixed {
            cluster["dns_lookup_family"] = json!("V4_PREFERRED");
        }
        if *https {
            cluster["transport_socket"] = json!({ "name": "tls", "typed_config": self.tls(sds) });
        }
        cluster
    }

    fn tls(&self, sds: &Sds) -> Value {
        let host = &self.destination.host;
        let mut common = json!({ "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_2",
            // For clients Envoy's own default is 1.2.
            "tls_maximum_protocol_version": "TLSv1_3",
        } });
        if let Some(certificate) = &self.certificate {
            common["tls_certificate_sds_secret_configs"] = json!([sds.reference(certificate)]);
        }
        if let Some(Trust { anchors, depth, names }) = &self.trust {
            common["combined_validation_context"] = json!({
                "default_validation_context": {
                    // Envoy's documentation counts the anchor too. That 1.40.0 was seen to take any depth is why
                    // `refused.rs` refuses one that somebody asks for.
                    "max_verify_depth": u32::from(*depth) + 1,
                    "match_typed_subject_alt_names": matchers(host, names),
                },
                "validation_context_sds_secret_config": sds.reference(anchors),
            });
        }
        let mut tls = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": common,
        });
        if !host.starts_with('[') && host.parse::<IpAddr>().is_err() {
            tls["sni"] = json!(host);
        }
        tls
    }
}

fn matchers(host: &str, names: &[UpstreamName]) -> Value {
    let matcher = |kind: &str, name: &str| json!({ "san_type": kind, "matcher": { "exact": name } });
    if names.is_empty() {
        // As a DNS name only, which an address never is: nginx compares no other.
        return json!([matcher("DNS", host)]);
    }
    let names = names.iter().map(|name| match name {
        UpstreamName::Dns(name) => matcher("DNS", name),
        UpstreamName::Uri(uri) => matcher("URI", uri),
    });
    names.collect()
}

const UNBOUNDED: [&str; 4] = ["max_connections", "max_pending_requests", "max_requests", "max_retries"];
