//! Kong's declarative config (`_format_version: "3.0"`). What is not supported is an error that names its
//! line; nothing of a document is ignored, but for what changes nothing on Kong either (`tags`, timestamps).

mod certificate;
mod host;
mod model;
mod names;
mod plugin;
mod read;
mod route;
mod service;
mod upstream_mtls;

pub use host::{HostMatch, HostName, split_port};
pub use model::{
    CaCertificate, Certificate, CertificateSource, ClientCertificate, Config, Filter, HeaderMatch, PathMatch,
    PemPair, Protocol, Route, Service, Trust, UpstreamMtls, UpstreamName,
};
pub use names::derived_id;
pub use read::{load, parse, text};

#[cfg(test)]
mod tests;
