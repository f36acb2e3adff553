//! What nginx refuses before Kong sees it.
//!
//! hyper has refused by then what it cannot cut out of a connection at all. Of a length beside chunks nothing is left:
//! hyper takes the length away, and the body is framed anew.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{Method, Version, request};

use super::failure::{Failed, Failure};

/// The host that was asked for.
///
/// # Errors
/// Kong would not hear of such a request.
pub(super) fn acceptable(head: &request::Parts) -> Result<Authority, Failed> {
    method(&head.method)?;
    body(head)?;
    host(head)
}

/// nginx knows none with other letters (ngx_http_parse_request_line).
fn method(method: &Method) -> Result<(), Failed> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(Failed::new(Failure::MethodNotAllowed, method));
    }
    let known = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
    if method.as_str().bytes().all(known) {
        Ok(())
    } else {
        Err(bad("a method of other letters than A to Z"))
    }
}

/// More than one encoding, and others than chunks, would go on as they came, without their name.
fn body(head: &request::Parts) -> Result<(), Failed> {
    let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(bad("a Transfer-Encoding that is not just `chunked`")),
    }
}

fn host(head: &request::Parts) -> Result<Authority, Failed> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse().ok()),
        (None, _) if head.version < Version::HTTP_11 => Some(Authority::from_static("localhost")),
        _ => None,
    };
    let named = head.uri.authority().cloned();
    let authority = host.map(|host| named.unwrap_or(host)).ok_or_else(|| bad("not one valid Host"))?;
    if authority.as_str().contains('@') { Err(bad("user information in the Host")) } else { Ok(authority) }
}

fn bad(why: &str) -> Failed {
    Failed::new(Failure::BadRequest, why)
}
