//! What an admin writes, as it is written; nothing derived, nothing checked but its shape.
//!
//! The JSON Schema comes from these types (feature `schema`), so their comments are what an editor shows.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Checks API keys and selects the client certificate that the gateway presents to the upstream.
#[derive(Clone, Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct Config {
    /// Who says which consumer is asking. Default: api_key.
    pub authentication: Option<Authentication>,
    /// Names of the header or query argument that holds the key, in order. Default: [apikey].
    pub key_names: Option<Vec<String>>,
    /// Look for the key in headers. Default: true.
    pub key_in_header: Option<bool>,
    /// Look for the key in the query. Default: true.
    pub key_in_query: Option<bool>,
    /// Look for the key in the body too, which is read whole for that. Default: false. With the native plugin only: a
    /// filter sees no body before it has to decide.
    pub key_in_body: Option<bool>,
    /// Scheme under which the header Authorization may hold the key, such as Bearer. Looked for after key_names.
    /// Default: none.
    pub key_authorization: Option<String>,
    /// Names of the cookies that may hold the key, in order. Looked for last. Default: none.
    pub key_cookies: Option<Vec<String>>,
    /// Take keys out of the request before it goes upstream: headers and arguments of key_names, whether or not one is
    /// looked for there, and every other place where one is. Default: false.
    pub hide_credentials: Option<bool>,
    /// Ask OPTIONS requests for a key too. Default: true.
    pub run_on_preflight: Option<bool>,
    /// Realm in WWW-Authenticate, behind the scheme of key_authorization, or Key. Default: none.
    pub realm: Option<String>,
    /// Username of the consumer for requests without a valid key. A consumer that another plugin of Kong's has
    /// established with a credential is kept. Default: requests without a valid key are rejected.
    pub anonymous: Option<String>,
    /// Who may ask.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub consumers: Vec<Consumer>,
    /// File with `consumers`, as they are written here: YAML or JSON, read again when it changes. With the native plugin
    /// or the embedded gateway only: a filter has no files.
    pub consumers_file: Option<String>,
    /// Name of the client certificate where no rule matches. Default: the upstream's own setting stays.
    pub client_certificate: Option<String>,
    /// The first rule that matches decides.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub rules: Vec<Rule>,
}

/// Who says which consumer is asking: the API key in the request, or the gateway's own authentication plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(rename_all = "snake_case"))]
pub enum Authentication {
    // Not doc comments: they would turn the schema's `enum` into a list of `const`, which draft 4 does not know.
    // The API key in the request.
    ApiKey,
    // The gateway's own authentication plugins; here only rules apply.
    Gateway,
}

/// Somebody who asks.
#[derive(Clone, Default, serde::Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Unique; sent upstream as X-Consumer-Username.
    pub username: String,
    /// A UUID, unique; sent upstream as X-Consumer-ID.
    pub id: Option<String>,
    /// Sent upstream as X-Consumer-Custom-ID.
    pub custom_id: Option<String>,
    /// What rules may ask for.
    #[serde(default, deserialize_with = "list")]
    pub groups: Vec<String>,
    /// API keys; any of them will do.
    #[serde(default, deserialize_with = "list")]
    pub keys: Vec<Key>,
}

/// An API key, as its digest.
#[derive(Clone, Default, serde::Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Unique within the consumer; sent upstream as X-Credential-Identifier.
    pub id: String,
    /// SHA-256 of the key, 64 hexadecimal digits.
    pub sha256: String,
    /// First moment of the key, RFC 3339. Default: always.
    pub not_before: Option<String>,
    /// Last moment of the key, RFC 3339. Default: never ends.
    pub not_after: Option<String>,
}

/// What becomes of requests that match: exactly one of client_certificate and deny.
#[derive(Clone, Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct Rule {
    /// All conditions must hold; none: every request matches.
    pub r#match: Match,
    /// Name of the client certificate to present.
    pub client_certificate: Option<String>,
    /// Refuse the request.
    pub deny: Option<Deny>,
}

/// Conditions. Of the values of one condition, any will do.
#[derive(Clone, Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct Match {
    /// Usernames.
    pub consumers: Option<Vec<String>>,
    /// Groups of the consumer.
    pub groups: Option<Vec<String>>,
    /// HTTP methods, upper case.
    pub methods: Option<Vec<String>>,
    /// Paths that the upstream will receive, to the end.
    pub paths: Option<Vec<String>>,
    /// Beginning of the path that the upstream will receive, in whole segments.
    pub path_prefix: Option<String>,
    /// Host names that the client asked for, without port.
    pub hosts: Option<Vec<String>>,
    /// Header names with their values; all names must match, with any of the values.
    pub headers: Option<BTreeMap<String, Vec<String>>>,
}

/// A refusal.
#[derive(Clone, Default)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct Deny {
    /// 400 to 599. Default: 403.
    #[cfg_attr(feature = "schema", schemars(range(min = 400, max = 599)))]
    pub status: Option<u16>,
    /// What the client is told. Default: Forbidden.
    pub message: Option<String>,
}

/// Reads a list. An empty object is an empty list: to Lua the two are one, and Kong 3.9 hands a filter `{}` for `[]`.
fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::with_capacity(seq.size_hint().unwrap_or_default().min(64));
            while let Some(element) = seq.next_element()? {
                list.push(element);
            }
            Ok(list)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            match map.next_key::<&str>()? {
                None => Ok(Vec::new()),
                Some(_) => Err(A::Error::custom("")),
            }
        }
    }

    // To serde_json a struct may be an array or an object, and nothing else.
    deserializer.deserialize_struct("", &[], List(PhantomData))
}
