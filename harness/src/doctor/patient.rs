use std::path::PathBuf;

use kong_config::declarative::UpstreamName;

/// One way to an upstream, that of a service under one client certificate. No `Debug`: it may hold a private key.
#[derive(Clone)]
pub struct Patient {
    pub host: String,
    pub port: u16,
    /// The name that is asked for and checked.
    pub server_name: String,
    pub is_https: bool,
    /// Chain and key; `None`: nothing is presented.
    pub client: Option<(Text, Text)>,
    /// `None`: upstreams are not verified.
    pub trust: Option<TrustedBy>,
    /// What is asked for, beginning with `/`.
    pub path: String,
}

/// How the upstream's certificate is verified.
#[derive(Clone)]
pub struct TrustedBy {
    pub anchors: Text,
    pub depth: u8,
    pub revocations: Option<Text>,
    pub names: Vec<UpstreamName>,
}

/// PEM, from a file or from the config itself. No `Debug`: it may be a private key.
#[derive(Clone)]
pub enum Text {
    File(PathBuf),
    Inline(String),
}
