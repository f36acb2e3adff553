//! What APISIX's upstreams are as services, and the certificates that are presented to them.

use std::path::{Path, PathBuf};

use super::{by_id, fields, text};
use crate::migrate::Refused;
use crate::migrate::certificate::common_name;
use crate::migrate::declarative::{Pair, Presenter, Service, entity_name};
use crate::migrate::report::{Notes, Outcome};
use crate::migrate::result::File;
use kong_config::document::{Node, Value};
use pki::Access;

pub(super) struct Upstreams<'d> {
    root: &'d Node,
    directory: Option<PathBuf>,
    pub(super) services: Vec<Service>,
    pub(super) files: Vec<File>,
    /// Which upstream a service is of.
    of: Vec<*const Node>,
}

impl<'d> Upstreams<'d> {
    pub(super) fn new(root: &'d Node, directory: Option<&Path>) -> Self {
        let directory =
            directory.map(|directory| std::path::absolute(directory).unwrap_or(directory.to_owned()));
        Self { root, directory, services: Vec::new(), files: Vec::new(), of: Vec::new() }
    }

    /// The index of an upstream's service; `None`: it cannot be mapped, and it has been said why.
    ///
    /// # Errors
    /// A private key has to go into a file, and nobody has said where.
    pub(super) fn service(
        &mut self,
        node: &Node,
        route: &str,
        notes: &mut Notes<'_>,
    ) -> Result<Option<usize>, Refused> {
        let here = std::ptr::from_ref(node);
        if let Some(index) = self.of.iter().position(|of| *of == here) {
            return Ok(Some(index));
        }
        let mut mapped = true;
        let mut refuse = |at: &Node, message: String, notes: &mut Notes<'_>| {
            mapped = false;
            notes.cure(Outcome::Unmapped, at, message, "map it by hand");
        };
        for (field, value) in fields(Some(node)) {
            let known = match field {
                "scheme" => matches!(value.as_str(), Some("http" | "https")),
                "pass_host" => matches!(value.as_str(), Some("pass" | "node")),
                other => KNOWN.contains(&other),
            };
            if !known {
                refuse(value, format!("`{field}` has no counterpart, or not this one"), notes);
            }
        }
        let tls = text(node, "scheme") == "https";
        let address = address(node, tls);
        if address.is_none() {
            refuse(node, "not one node with a host and a port".to_owned(), notes);
        }
        let presenter = match node.get("tls").filter(|_| tls) {
            Some(written) => {
                for (field, value) in fields(Some(written)) {
                    let known = match (field, &value.value) {
                        ("verify", Value::Boolean(verify)) => !*verify,
                        (field, _) => ["client_cert", "client_cert_id", "client_key"].contains(&field),
                    };
                    if !known {
                        let message =
                            format!("`{field}`: give the upstream's CA by file, as upstream-mtls' ca_file");
                        refuse(value, message, notes);
                    }
                }
                let certificate = self.certificate(written, route, notes)?;
                if certificate.is_none() {
                    refuse(written, "no certificate that is here itself, with its key".to_owned(), notes);
                }
                Some(Presenter { certificate, ca_file: None })
            }
            None => None,
        };
        if !mapped {
            return Ok(None);
        }
        if presenter.is_some() {
            notes.add(
                Outcome::Stays,
                node,
                "the upstream is not verified: name its CA (ca_file) when you can",
            );
        }
        let id = node.get("id").and_then(super::plain).unwrap_or_else(|| route.to_owned());
        let name = entity_name(&format!("upstream-{id}"));
        let (host, port) = address.unwrap_or_default();
        notes.add(Outcome::Mapped, node, format!("upstream: service {name:?}"));
        self.services.push(Service { name, tls, host, port, presenter });
        self.of.push(here);
        Ok(Some(self.services.len() - 1))
    }

    /// A service for routes that are closed.
    pub(super) fn nowhere(&mut self) -> usize {
        if let Some(index) = self.of.iter().position(|of| of.is_null()) {
            return index;
        }
        let (name, host) = ("unmapped".to_owned(), "unmapped.invalid".to_owned());
        self.services.push(Service { name, tls: false, host, port: 1, presenter: None });
        self.of.push(std::ptr::null());
        self.services.len() - 1
    }

    fn certificate(
        &mut self,
        tls: &Node,
        route: &str,
        notes: &mut Notes<'_>,
    ) -> Result<Option<Pair>, Refused> {
        let entity = tls.get("client_cert_id").and_then(|id| by_id(self.root, "ssls", id));
        let pair = match entity {
            Some(entity) => (text(entity, "cert"), text(entity, "key")),
            None => (text(tls, "client_cert"), text(tls, "client_key")),
        };
        let (chain, key) = pair;
        if !chain.starts_with("-----BEGIN ") || !key.starts_with("-----BEGIN ") {
            return Ok(None);
        }
        let Some(directory) = &self.directory else {
            let why = "private keys are in there: say where they are to go, --certificates DIR";
            return Err(Refused::Unusable(why.to_owned()));
        };
        let mut name = common_name(chain).unwrap_or_else(|| entity_name(route));
        let same = |file: &File, name: &str| file.name == format!("{name}.key") && file.content != key;
        while self.files.iter().any(|file| same(file, &name)) {
            name.push_str("-2");
        }
        let path = |end: &str| directory.join(format!("{name}.{end}")).display().to_string();
        let pair = Pair { cert_file: path("crt"), key_file: path("key"), name: name.clone() };
        if !self.files.iter().any(|file| file.name == format!("{name}.key")) {
            for (end, content, access) in [("crt", chain, Access::Public), ("key", key, Access::Owner)] {
                self.files.push(File { name: format!("{name}.{end}"), content: content.to_owned(), access });
            }
        }
        notes.add(
            Outcome::Mapped,
            tls,
            format!("upstream-mtls, as {name:?}, by {} and the key beside it", pair.cert_file),
        );
        Ok(Some(pair))
    }
}

/// `{"host:port": weight}`, or `[{host, port, weight}]`.
fn address(node: &Node, tls: bool) -> Option<(String, i64)> {
    let usual = if tls { 443 } else { 80 };
    match &node.get("nodes")?.value {
        Value::Map(nodes) => {
            let [(key, _)] = nodes.as_slice() else { return None };
            match key.name.rsplit_once(':') {
                Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
                None => Some((key.name.clone(), usual)),
            }
        }
        Value::List(nodes) => {
            let [node] = nodes.as_slice() else { return None };
            let port = match node.get("port").map(|port| &port.value) {
                Some(Value::Integer(port)) => *port,
                _ => usual,
            };
            Some((node.get("host")?.as_str()?.to_owned(), port))
        }
        _ => None,
    }
}

/// Fields that are read here, or change nothing.
const KNOWN: [&str; 9] =
    ["create_time", "desc", "id", "labels", "name", "nodes", "tls", "type", "update_time"];
