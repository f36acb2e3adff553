//! Cookies as a client sends them (RFC 6265, section 4.2.1): pairs between semicolons, whatever quotes there are.

use super::query;

/// The header that holds them.
pub(super) const HEADER: &str = "Cookie";

/// The values of cookies of a name, which has a case. Quotes around a value are not part of it, as to Envoy's
/// api_key_auth; a cookie without `=` has no name.
pub(super) fn values<'r>(header: &'r [u8], name: &str) -> impl Iterator<Item = &'r [u8]> {
    pairs(header).filter_map(halves).filter(move |(each, _)| *each == name.as_bytes()).map(|(_, value)| {
        match value {
            [b'"', inner @ .., b'"'] => inner,
            plain => plain,
        }
    })
}

/// What the headers hold without cookies of these names, as one header (RFC 9113, section 8.2.3, joins them so), empty
/// where no cookie stays; `None` if they have none of them. What stays, stays byte for byte.
pub(super) fn without<'r>(
    headers: impl Iterator<Item = &'r [u8]> + Clone,
    named: impl Fn(&[u8]) -> bool,
) -> Option<Vec<u8>> {
    let goes = |pair: &[u8]| halves(pair).is_some_and(|(name, _)| named(name));
    if !headers.clone().flat_map(pairs).any(goes) {
        return None;
    }
    let mut rest = Vec::new();
    for header in headers {
        let mut separator: &[u8] = b"; ";
        for pair in pairs(header).filter(|pair| !goes(pair)) {
            let begins = rest.is_empty() || separator == b"; ";
            if !rest.is_empty() {
                rest.extend_from_slice(separator);
            }
            rest.extend_from_slice(if begins { trimmed(pair) } else { pair });
            separator = b";";
        }
    }
    Some(rest)
}

fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';')
}

fn halves(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = query::halves(pair);
    Some((trimmed(name), trimmed(value?)))
}

/// Without what some upstream may take for space: what it would find must not be overlooked here.
fn trimmed(text: &[u8]) -> &[u8] {
    let visible = |byte: &u8| *byte > b' ';
    let from = text.iter().position(visible).unwrap_or(text.len());
    let to = text.iter().rposition(visible).map_or(from, |last| last + 1);
    &text[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let rows: [(&str, &[&str]); 14] = [
            ("k=1", &["1"]),
            ("a=0; k=1; b=2", &["1"]),
            ("a=0;k=1;b=2", &["1"]),
            (" \tk \t= \t1 \t;", &["1"]),
            ("k=\"1\"", &["1"]),
            ("k=\"1; b=2\"", &["\"1"]),
            ("k=\"", &["\""]),
            ("k=\"\"", &[""]),
            ("k=", &[""]),
            ("k=1=2", &["1=2"]),
            ("k=1; k=2", &["1", "2"]),
            ("K=1; kk=1; k; =k; %6b=1", &[]),
            ("a=1, k=2", &[]),
            ("", &[]),
        ];
        for (header, owed) in rows {
            let came: Vec<_> =
                values(header.as_bytes(), "k").map(|value| str::from_utf8(value).unwrap()).collect();
            assert_eq!(came, owed, "{header}");
        }
    }

    #[test]
    fn what_stays_of_cookies_stays_byte_for_byte() {
        let rows: [(&[&str], Option<&str>); 17] = [
            (&["k=1"], Some("")),
            (&[" k = 1 ; "], Some("")),
            (&["k=1;;; "], Some("")),
            (&["k=1; a=\"2\"; b =3"], Some("a=\"2\"; b =3")),
            (&["a=2; k=1; b=3"], Some("a=2; b=3")),
            (&["a=2;  b ; k=1"], Some("a=2;  b ")),
            (&["a=2;k=1;b=3;"], Some("a=2;b=3;")),
            (&["k=1;; a=2"], Some("a=2")),
            (&["a=2; k=1; k=\"3\"; b"], Some("a=2; b")),
            (&["a=\"2; k=1; b\""], Some("a=\"2; b\"")),
            (&["k=1", "a=2"], Some("a=2")),
            (&["a=2", "k=1", "b=3; c=4"], Some("a=2; b=3; c=4")),
            (&["a=2", "k=1"], Some("a=2")),
            (&["k=1", "k=2"], Some("")),
            (&["a=2", "b=3"], None),
            (&["k; K=1; k1=k"], None),
            (&[], None),
        ];
        for (headers, owed) in rows {
            let came = without(headers.iter().map(|header| header.as_bytes()), |name| name == b"k");
            assert_eq!(came.as_deref(), owed.map(str::as_bytes), "{headers:?}");
        }
    }
}
