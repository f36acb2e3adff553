//! Query strings, read as OpenResty's `ngx.req.get_uri_args` reads them, which key-auth builds on.

use std::borrow::Cow;

use super::request::Target;

/// The arguments of a target, in order; an argument without `=` has no value.
pub(super) fn arguments(target: Target<'_>) -> impl Iterator<Item = (Cow<'_, [u8]>, Option<Cow<'_, [u8]>>)> {
    raw(target.query.unwrap_or_default()).map(|argument| {
        let (name, value) = halves(argument);
        (decoded(name), value.map(decoded))
    })
}

/// The target without the arguments of these names; `None` if it has none of them. What stays, stays byte for
/// byte.
pub(super) fn without(target: Target<'_>, named: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let query = target.query?;
    let goes = |argument: &&[u8]| named(&decoded(halves(argument).0));
    if !raw(query).any(|argument| goes(&argument)) {
        return None;
    }
    let mut rest = target.path.to_vec();
    let mut separator = b'?';
    for argument in raw(query).filter(|argument| !goes(argument)) {
        rest.push(separator);
        rest.extend_from_slice(argument);
        separator = b'&';
    }
    Some(rest)
}

/// Path, and query if there is a `?`.
pub(super) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

fn raw(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|byte| *byte == b'&')
}

/// What stands before and behind the first `=`.
pub(super) fn halves(argument: &[u8]) -> (&[u8], Option<&[u8]>) {
    match argument.iter().position(|byte| *byte == b'=') {
        Some(at) => (&argument[..at], Some(&argument[at + 1..])),
        None => (argument, None),
    }
}

/// `%41` is `A`, `+` is a space; an escape that is none stays as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, others @ ..] = rest {
        let escape = (*first == b'%').then(|| others.first_chunk().copied().and_then(byte)).flatten();
        match (escape, first) {
            (Some(byte), _) => {
                out.push(byte);
                rest = &others[2..];
                continue;
            }
            (None, b'+') => out.push(b' '),
            (None, byte) => out.push(*byte),
        }
        rest = others;
    }
    out.into()
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Argument = (&'static str, Option<&'static str>);

    #[test]
    fn arguments_are_decoded_as_openresty_does() {
        let rows: [(&str, &[Argument]); 6] = [
            ("/x", &[("", None)]),
            ("/x?a=1&b", &[("a", Some("1")), ("b", None)]),
            ("/x?a%62=%41+b&c=", &[("ab", Some("A b")), ("c", Some(""))]),
            ("/x?a=%zz%4", &[("a", Some("%zz%4"))]),
            ("/x?a=b=c", &[("a", Some("b=c"))]),
            ("/x?a?b=c", &[("a?b", Some("c"))]),
        ];
        for (target, owed) in rows {
            let came: Vec<_> = arguments(Target::of(target.as_bytes())).collect();
            let came: Vec<_> = came
                .iter()
                .map(|(name, value)| {
                    (
                        std::str::from_utf8(name).unwrap(),
                        value.as_ref().map(|v| std::str::from_utf8(v).unwrap()),
                    )
                })
                .collect();
            assert_eq!(came, owed, "{target}");
        }
    }

    #[test]
    fn what_stays_of_a_query_stays_byte_for_byte() {
        let rows = [
            ("/x?key=1", Some("/x")),
            ("/x?a=%2f+&key=1&&b", Some("/x?a=%2f+&&b")),
            ("/x?k%65y=1&a=1&key", Some("/x?a=1")),
            ("/x?KEY=1", None),
            ("/x?a=key", None),
            ("/key=1", None),
            ("/x?", None),
        ];
        for (target, owed) in rows {
            let came = without(Target::of(target.as_bytes()), |name| name == b"key");
            assert_eq!(came.as_deref(), owed.map(str::as_bytes), "{target}");
        }
    }
}
