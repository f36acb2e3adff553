//! What a file of cases says.

use serde_json::Value;

use super::Text;

/// The cases of one file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file's name without its ending: what the cases are about.
    pub topic: String,
    /// The file, as messages name it.
    pub file: String,
    pub cases: Vec<Case>,
    pub mistakes: Vec<Mistake>,
}

/// One request under one policy.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub line: usize,
    /// The policy; absent where the gateway's own config has it. Digests of keys stand in it as `<ann>`.
    pub policy: Option<Value>,
    pub request: Request,
    pub owed: Owed,
    pub differs: Vec<Difference>,
}

/// A request, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Text,
    /// As the client sends it.
    pub target: Text,
    /// As the upstream would receive it if nothing were hidden: what a host makes of the target before it decides.
    pub received: Text,
    /// In this order, duplicates too. `Host` is added where none is among them.
    pub headers: Vec<(Text, Text)>,
    pub body: Option<Text>,
    /// Whom the gateway's own authentication has established.
    pub established: Option<Established>,
    /// Seconds since 1970; absent: the present.
    pub now: Option<i64>,
}

/// A consumer whom the gateway itself knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    pub username: String,
    /// Kong makes a consumer and a credential of these, so they are UUIDs.
    pub id: String,
    pub custom_id: Option<String>,
    pub credential: String,
    pub groups: Vec<String>,
}

/// What is owed for a request. What is absent may be anything, but a request for which no upstream is owed must
/// not reach it.
#[derive(Clone, Debug, Default)]
pub struct Owed {
    pub status: Option<u16>,
    pub message: Option<Text>,
    pub headers: Vec<(String, Values)>,
    pub body: Option<Text>,
    /// What the body must hold.
    pub holds: Vec<Text>,
    /// Absent: the upstream must hear nothing.
    pub upstream: Option<Upstream>,
}

/// What the upstream must have heard.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    pub certificate: Option<Certificate>,
    pub method: Option<Text>,
    pub uri: Option<Text>,
    pub headers: Vec<(String, Values)>,
}

/// As whom the upstream must have been called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    Named(String),
    /// Without a certificate: the policy selects none, and the service has none of its own.
    None,
}

/// The values that a header must have.
#[derive(Clone, Debug)]
pub enum Values {
    /// It must not be there.
    Absent,
    /// All of them, in this order.
    These(Vec<Text>),
}

/// What a host owes instead, and why it may.
#[derive(Clone, Debug)]
pub struct Difference {
    pub host: String,
    pub instead: Instead,
    pub because: String,
}

/// What a host owes instead.
#[derive(Clone, Debug)]
pub enum Instead {
    /// It cannot be asked.
    NotAsked,
    Owed(Box<Owed>),
    /// Of a mistake: what must be named.
    Problems(Vec<String>),
}

/// A policy with mistakes.
#[derive(Clone, Debug)]
pub struct Mistake {
    pub name: String,
    pub line: usize,
    /// As a gateway hands it over.
    pub document: String,
    /// The policy itself, where the document is JSON: only then a gateway's config can hold it.
    pub policy: Option<Value>,
    /// Beginnings of all the problems that must be found, each with its path.
    pub problems: Vec<String>,
    /// Whether a gateway is brought up with it too.
    pub at_gateways: bool,
    pub differs: Vec<Difference>,
}

/// What a certain host owes.
pub enum Expected<'c> {
    NotAsked(&'c str),
    Owed(&'c Owed),
    Differs(&'c Owed, &'c str),
}

impl Case {
    /// What the host of that name owes.
    pub fn expected(&self, host: &str) -> Expected<'_> {
        match difference_of(&self.differs, host) {
            None => Expected::Owed(&self.owed),
            Some(Difference { instead: Instead::Owed(owed), because, .. }) => {
                Expected::Differs(owed, because)
            }
            Some(Difference { because, .. }) => Expected::NotAsked(because),
        }
    }
}

/// The difference that a host has. What is said of a local Kong holds for one in Docker too, unless that has a word of
/// its own.
pub fn difference_of<'d>(differs: &'d [Difference], host: &str) -> Option<&'d Difference> {
    let of = |name: &str| differs.iter().find(|difference| difference.host == name);
    of(host).or_else(|| match host {
        "docker" => of("kong"),
        "docker-native" => of("kong-native"),
        _ => None,
    })
}

/// Every host that a case may name.
pub const HOSTS: [&str; 9] =
    ["core", "wasm", "embedded", "envoy", "kong", "kong-native", "docker", "docker-native", "key-auth"];
