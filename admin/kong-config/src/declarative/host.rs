//! Hosts of a route.

/// One of a route's hosts, `example.com`, `*.example.com` or `example.*`, each with a port or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMatch {
    pub name: HostName,
    /// Absent: any port.
    pub port: Option<u16>,
}

/// A host's name or the fixed part of one with a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    Plain(String),
    /// `example.*`, here `example.`.
    StartsWith(String),
    /// `*.example.com`, here `.example.com`.
    EndsWith(String),
}

impl HostMatch {
    /// Reads a host as a route has it (kong/db/schema/typedefs.lua, hosts). `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = split_port(text);
        let name = match (host.strip_prefix('*'), host.strip_suffix('*')) {
            (Some(end), None) if end.starts_with('.') => HostName::EndsWith(end.to_owned()),
            (None, Some(start)) if start.ends_with('.') => HostName::StartsWith(start.to_owned()),
            (None, None) => HostName::Plain(host.to_owned()),
            _ => return None,
        };
        let (HostName::Plain(fixed) | HostName::StartsWith(fixed) | HostName::EndsWith(fixed)) = &name;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (fixed.len() > 1 && fixed.bytes().all(known)).then_some(Self { name, port })
    }
}

/// A host and its port, if what stands after the first colon is one (kong/router/transform.lua,
/// split_host_port).
pub fn split_port(host: &str) -> (&str, Option<u16>) {
    let port =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match host.split_once(':').map(|(name, text)| (name, port(text))) {
        Some((name, Some(port))) => (name, Some(port)),
        _ => (host, None),
    }
}
