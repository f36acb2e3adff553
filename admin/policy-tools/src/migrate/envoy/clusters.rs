//! What an Envoy's clusters are as services, and the certificates that they present.

use super::{fields, text};
use crate::migrate::declarative::{Pair, Presenter, Service, entity_name};
use crate::migrate::report::{Notes, Outcome};
use kong_config::document::{Node, Value};

/// A cluster.
pub(super) struct Cluster<'d> {
    pub(super) name: &'d str,
    pub(super) service: Service,
    /// Whether requests get there as they did.
    pub(super) mapped: bool,
}

pub(super) fn read<'d>(resources: &'d Node, notes: &mut Notes<'d>) -> Vec<Cluster<'d>> {
    let clusters = resources.get("clusters").map(Node::items).unwrap_or_default();
    clusters.iter().map(|cluster| one(cluster, notes)).collect()
}

fn one<'d>(node: &'d Node, notes: &mut Notes<'d>) -> Cluster<'d> {
    let name = text(node, "name");
    let mut reader = Reader { notes, mapped: true };
    let (host, port) = reader.address(node).unwrap_or_else(|| ("unmapped.invalid".to_owned(), 1));
    let socket = node.get("transport_socket").and_then(|socket| socket.get("typed_config"));
    let presenter = socket.map(|tls| reader.tls(tls, &host));
    let mapped = reader.mapped;
    if mapped {
        notes.add(Outcome::Mapped, node, format!("cluster: service {:?}", entity_name(name)));
    }
    let service = Service { name: entity_name(name), tls: socket.is_some(), host, port, presenter };
    Cluster { name, service, mapped }
}

struct Reader<'n, 'd> {
    notes: &'n mut Notes<'d>,
    mapped: bool,
}

impl Reader<'_, '_> {
    fn refuse(&mut self, at: &Node, message: &str, help: &str) {
        self.mapped = false;
        self.notes.cure(Outcome::Unmapped, at, message, help);
    }

    fn address(&mut self, cluster: &Node) -> Option<(String, i64)> {
        let localities =
            cluster.get("load_assignment")?.get("endpoints").map(Node::items).unwrap_or_default();
        let endpoints =
            localities.iter().flat_map(|one| one.get("lb_endpoints").map(Node::items).unwrap_or_default());
        let addresses =
            endpoints.filter_map(|one| one.get("endpoint")?.get("address")?.get("socket_address"));
        let addresses: Vec<_> = addresses.collect();
        match addresses.as_slice() {
            [address] => match address.get("port_value").map(|port| &port.value) {
                Some(Value::Integer(port)) => Some((text(address, "address").to_owned(), *port)),
                _ => {
                    self.refuse(address, "no port that is a number", "correct it");
                    None
                }
            },
            _ => {
                self.refuse(cluster, "not of one endpoint with an address", "make an Upstream of it by hand");
                None
            }
        }
    }

    fn tls(&mut self, tls: &Node, host: &str) -> Presenter {
        if !text(tls, "@type").ends_with(".UpstreamTlsContext") {
            self.refuse(tls, "not a socket of upstream TLS", "map it by hand");
        }
        for (field, node) in fields(tls) {
            match field {
                "@type" | "common_tls_context" | "max_session_keys" => {}
                "sni" if node.as_str() == Some(host) => {}
                "sni" => self.refuse(
                    node,
                    "another name than the endpoint's: Kong asks for the host's",
                    "give the host this name",
                ),
                other => {
                    let message = format!("`{other}` has no counterpart");
                    self.refuse(node, &message, "map it by hand");
                }
            }
        }
        let mut presenter = Presenter { certificate: None, ca_file: None };
        for (field, node) in tls
            .get("common_tls_context")
            .map(|context| fields(context).collect::<Vec<_>>())
            .unwrap_or_default()
        {
            match field {
                "tls_certificates" => presenter.certificate = self.certificate(node),
                "validation_context" => presenter.ca_file = self.authority(node, host),
                other => {
                    let message = format!("`{other}` has no counterpart");
                    self.refuse(node, &message, "map it by hand, by files");
                }
            }
        }
        if presenter.ca_file.is_none() {
            self.notes.add(
                Outcome::Stays,
                tls,
                "the upstream is not verified: name its CA (ca_file) when you can",
            );
        }
        presenter
    }

    fn certificate(&mut self, list: &Node) -> Option<Pair> {
        let [certificate] = list.items() else {
            self.refuse(list, "not one certificate", "map it by hand");
            return None;
        };
        let file =
            |field: &str| certificate.get(field).map(|source| text(source, "filename")).unwrap_or_default();
        let (cert_file, key_file) = (file("certificate_chain"), file("private_key"));
        if !cert_file.starts_with('/') || !key_file.starts_with('/') {
            self.refuse(
                certificate,
                "not in files with absolute paths",
                "write both to files, and name these",
            );
            return None;
        }
        let stem =
            std::path::Path::new(cert_file).file_stem().and_then(|stem| stem.to_str()).unwrap_or("client");
        let name: String = entity_name(stem).replace('~', "-");
        self.notes.add(Outcome::Mapped, certificate, format!("upstream-mtls, as {name:?}, by its files"));
        Some(Pair { name, cert_file: cert_file.to_owned(), key_file: key_file.to_owned() })
    }

    /// Where the upstream's name is not asked for, Kong asks for the host's all the same.
    fn authority(&mut self, context: &Node, host: &str) -> Option<String> {
        for (field, node) in fields(context) {
            match field {
                "trusted_ca" => {}
                "match_typed_subject_alt_names" if is_name(node, host) => {}
                other => {
                    let message = format!("`{other}` has no counterpart, or is not the host's name alone");
                    self.refuse(node, &message, "map it by hand");
                }
            }
        }
        if context.get("match_typed_subject_alt_names").is_none() && context.get("trusted_ca").is_some() {
            self.notes.add(
                Outcome::Differs,
                context,
                "the upstream's certificate has to be one of its host's name, too",
            );
        }
        let file = text(context.get("trusted_ca")?, "filename");
        if !file.starts_with('/') {
            self.refuse(
                context,
                "trusted_ca is not in a file with an absolute path",
                "write it to one, and name that",
            );
            return None;
        }
        Some(file.to_owned())
    }
}

/// `[{san_type: DNS, matcher: {exact: HOST}}]`
fn is_name(list: &Node, host: &str) -> bool {
    let is = |one: &Node| {
        text(one, "san_type") == "DNS"
            && one.get("matcher").is_some_and(|matcher| text(matcher, "exact") == host)
    };
    !list.items().is_empty() && list.items().iter().all(is)
}
