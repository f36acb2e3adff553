//! Which headers pass the gateway, and which it sets itself.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

use super::wasm;

/// Removes what is meant for this hop only: RFC 9110, 7.6.1, what `Connection` names included.
///
/// Of a request it is done before any filter sees it. Afterwards, `Connection: X-Consumer-Username`
/// would take away what a filter has set.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = (headers.get_all(CONNECTION).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !matches!(*name, HOST | http::header::CONTENT_LENGTH))
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The headers of a request as proxy-wasm shows them: pseudo headers first.
pub(super) fn to_wasm(headers: &HeaderMap, method: &str, path: &[u8], authority: &str) -> wasm::Headers {
    let pseudo = [
        (":method", method.as_bytes()),
        (":path", path),
        (":authority", authority.as_bytes()),
        (":scheme", b"http"),
    ];
    let pseudo = pseudo.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
    pseudo.into_iter().chain(fields(headers)).collect()
}

/// The headers of a response as proxy-wasm shows them.
pub(super) fn response_to_wasm(headers: &HeaderMap, status: u16) -> wasm::Headers {
    let status = (b":status".to_vec(), status.to_string().into_bytes());
    std::iter::once(status).chain(fields(headers)).collect()
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    headers.iter().map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
}

/// The headers as filters left them. Pseudo headers are dropped: Kong has computed by then what it
/// will send, and a write to `:path` was seen to change nothing. `None`: a filter wrote what is no header.
pub(super) fn from_wasm(headers: wasm::Headers) -> Option<HeaderMap> {
    let fields = headers.into_iter().filter(|(name, _)| !name.starts_with(b":"));
    fields
        .map(|(name, value)| {
            Some((HeaderName::from_bytes(&name).ok()?, HeaderValue::from_bytes(&value).ok()?))
        })
        .try_fold(HeaderMap::new(), |mut headers, field| {
            let (name, value) = field?;
            headers.append(name, value);
            Some(headers)
        })
}

/// Takes over what filters have written into a request's headers, and takes away what they had cleared.
///
/// What they merely removed is sent all the same: Kong 3.9.1 was seen to, since ngx_wasm_module marks a removed header
/// by its hash, to which nginx' proxy module pays no heed.
pub(super) fn take_over(headers: &mut HeaderMap, written: HeaderMap, cleared: &[HeaderName]) {
    let received = std::mem::replace(headers, written);
    for name in received.keys() {
        let as_received = received.get_all(name).iter().eq(headers.get_all(name));
        if cleared.contains(name) {
            // What was set after it had been cleared stays.
            if as_received {
                headers.remove(name);
            }
        } else if !headers.contains_key(name) {
            for value in received.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

/// Where a request came in, as told to the upstream.
pub(super) struct Forwarded<'a> {
    pub(super) client: SocketAddr,
    pub(super) port: u16,
    /// Without the port.
    pub(super) host: &'a str,
    /// As received, without the query.
    pub(super) path: &'a str,
    /// What `strip_path` took away.
    pub(super) prefix: Option<&'a str>,
}

impl Forwarded<'_> {
    /// As Kong 3.9 without trusted_ips (kong/runloop/handler.lua): a client's own values count for
    /// nothing, but for `X-Forwarded-For`, which is a list.
    pub(super) fn set(&self, headers: &mut HeaderMap) {
        let client = self.client.ip().to_string();
        let known: Vec<_> = headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        let all = known.into_iter().chain([client.as_str()]).collect::<Vec<_>>().join(", ");
        let port = self.port.to_string();
        let fields = [
            (FOR, Some(all.as_str())),
            ("x-forwarded-proto", Some("http")),
            ("x-forwarded-host", Some(self.host)),
            ("x-forwarded-port", Some(&port)),
            ("x-forwarded-path", Some(self.path)),
            ("x-forwarded-prefix", self.prefix),
            ("x-real-ip", Some(&client)),
        ];
        for (name, value) in fields {
            set(headers, HeaderName::from_static(name), value);
        }
    }
}

/// Sets a header in place of all that have its name; without a value there is none of it then.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    headers.remove(&name);
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

/// Adds this hop to the list of those that a message went through: RFC 9110, 7.6.3.
pub(super) fn via(headers: &mut HeaderMap) {
    headers.append(VIA, HeaderValue::from_static("1.1 kong/3.9.1"));
}

const FOR: &str = "x-forwarded-for";

/// `Expect` is answered here, by the time the body is read.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_is_meant_for_this_hop_goes_no_further() {
        let mut headers = map(&[
            ("connection", "close, X-Mine ,host"),
            ("connection", "x-too"),
            ("x-mine", "1"),
            ("x-too", "2"),
            ("host", "dogs"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic Zm9v"),
            ("upgrade", "h2c"),
            ("x-theirs", "3"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("host", "dogs"), ("x-theirs", "3")]));
    }

    #[test]
    fn a_client_cannot_say_where_it_came_in() {
        let mut headers = map(&[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x-real-ip", "10.0.0.1"),
        ]);
        let client = SocketAddr::from(([127, 0, 0, 1], 4711));
        let forwarded = Forwarded { client, port: 8000, host: "dogs", path: "/api/x", prefix: None };
        forwarded.set(&mut headers);
        let expected = map(&[
            ("x-forwarded-for", "203.0.113.9, 127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "dogs"),
            ("x-forwarded-port", "8000"),
            ("x-forwarded-path", "/api/x"),
            ("x-real-ip", "127.0.0.1"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn what_a_filter_only_removes_is_sent_all_the_same() {
        let mut headers =
            map(&[("x-api-key", "k"), ("x-consumer-id", "spoofed"), ("x-secret", "s"), ("x", "1")]);
        let cleared = ["x-api-key", "x-consumer-id"].map(HeaderName::from_static);
        take_over(
            &mut headers,
            map(&[("x-api-key", "k"), ("x-consumer-id", "ours"), ("x", "1"), ("y", "2")]),
            &cleared,
        );
        assert_eq!(headers, map(&[("x-consumer-id", "ours"), ("x-secret", "s"), ("x", "1"), ("y", "2")]));
    }

    #[test]
    fn a_filter_cannot_write_a_line_into_the_headers() {
        let written = |name: &str, value: &str| from_wasm(vec![(name.into(), value.into())]);
        assert!(written("x-consumer-username", "guest\r\nx-admin: 1").is_none());
        assert!(written("x consumer", "guest").is_none());
        assert_eq!(written("X-Consumer-Username", "guest"), Some(map(&[("x-consumer-username", "guest")])));
        assert_eq!(written(":path", "/elsewhere"), Some(HeaderMap::new()));
    }
}
