//! Who may ask: whoever is on this machine, and no other site through the browser of somebody who is.
//!
//! A site elsewhere may have its own name resolve to 127.0.0.1 (DNS rebinding); the browser then takes this page for
//! the site's, but says that name in `Host`. Any site may send a request here without seeing the answer; the browser
//! then says where it comes from in `Origin` and `Sec-Fetch-Site`, which no script can set.

use std::net::IpAddr;

use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::uri::Authority;

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// What is asked for is not this machine by a name of its own.
    Host,
    /// Another site asks.
    Site,
}

impl Stranger {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Host => "only as localhost or by a loopback address",
            Self::Site => "only from this page itself",
        }
    }
}

/// Whether this address is asked for by a name that nobody else can give it.
pub(super) fn host(request: &Parts) -> Result<&str, Stranger> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Stranger::Host) };
    let host = host.to_str().map_err(|_| Stranger::Host)?;
    let authority: Authority = host.parse().map_err(|_| Stranger::Host)?;
    let name = authority.host();
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_local = name.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    // Written as a whole, a target has a host of its own, which counts then.
    let is_one = request.uri.authority().is_none_or(|target| *target == authority);
    if is_local && is_one && !host.contains('@') { Ok(host) } else { Err(Stranger::Host) }
}

/// Whether the page itself asks, or what is no browser. A question (`POST`) has to say where it comes from.
pub(super) fn same_site(request: &Parts) -> Result<(), Stranger> {
    let own = format!("http://{}", host(request)?);
    let said = |name| {
        let mut values = request.headers.get_all(name).iter();
        (values.next(), values.next())
    };
    let from_here = match said(ORIGIN) {
        (Some(origin), None) => origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()),
        (None, _) => request.method.is_safe(),
        (Some(_), Some(_)) => false,
    };
    let sent_here = match said(SEC_FETCH_SITE) {
        (Some(site), None) => ["same-origin", "none"].iter().any(|known| site == known),
        (None, _) => true,
        (Some(_), Some(_)) => false,
    };
    if from_here && sent_here { Ok(()) } else { Err(Stranger::Site) }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(target);
        headers.iter().fold(request, |r, (n, v)| r.header(*n, *v)).body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_names_that_nobody_else_can_have_are_this_machine() {
        for here in ["localhost", "LOCALHOST:1", "127.0.0.1:8001", "127.9.9.9", "[::1]:8001", "[::1]"] {
            assert!(host(&parts("GET", "/", &[("host", here)])).is_ok(), "{here}");
        }
        for elsewhere in [
            "",
            "evil.example",
            "localhost.evil.example:8001",
            "127.0.0.1.evil.example",
            "evil.example@127.0.0.1",
            "localhost.",
            "0.0.0.0:8001",
            "192.168.0.7",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "localhost,evil.example",
        ] {
            assert_eq!(host(&parts("GET", "/", &[("host", elsewhere)])), Err(Stranger::Host), "{elsewhere}");
        }
        assert_eq!(host(&parts("GET", "/", &[])), Err(Stranger::Host));
        assert_eq!(host(&parts("GET", "/", &[("host", "localhost"), ("host", "evil")])), Err(Stranger::Host));
        let target = "http://evil.example/";
        assert_eq!(host(&parts("GET", target, &[("host", "localhost")])), Err(Stranger::Host));
    }

    #[test]
    fn no_other_site_asks_through_a_browser() {
        let own = ("origin", "http://localhost:8001");
        for (method, said, owed) in [
            ("GET", &[][..], true),
            ("GET", &[("sec-fetch-site", "same-origin")], true),
            ("GET", &[("sec-fetch-site", "none")], true),
            ("GET", &[("sec-fetch-site", "cross-site")], false),
            ("GET", &[("sec-fetch-site", "same-site")], false),
            ("GET", &[("origin", "http://localhost:9999")], false),
            ("POST", &[own], true),
            ("POST", &[own, ("sec-fetch-site", "same-origin")], true),
            ("POST", &[own, ("sec-fetch-site", "cross-site")], false),
            ("POST", &[own, ("origin", "http://evil.example")], false),
            ("POST", &[], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[("origin", "http://localhost")], false),
            ("POST", &[("origin", "https://localhost:8001")], false),
            ("POST", &[("origin", "http://localhost:8001.evil.example")], false),
        ] {
            let headers: Vec<_> = [("host", "localhost:8001")].iter().chain(said).copied().collect();
            assert_eq!(same_site(&parts(method, "/", &headers)).is_ok(), owed, "{method} {said:?}");
        }
    }
}
