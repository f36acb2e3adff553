//! Header maps: lookups and edits by name, and their form in a guest's memory.
//!
//! The form (proxy-wasm ABI 0.2.1, "header map"): a count, then a pair of lengths per entry, then each name and value
//! followed by a NUL; numbers are 32 bits, little endian.

use super::Headers;

/// The value of the first header of that name.
pub(super) fn find(headers: &Headers, name: &[u8]) -> Option<usize> {
    headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// Leaves one header of that name, in the place of the first.
pub(super) fn replace(headers: &mut Headers, name: &[u8], value: &[u8]) {
    let Some(first) = find(headers, name) else {
        return headers.push((name.to_vec(), value.to_vec()));
    };
    let mut index = 0;
    headers.retain_mut(|(other, kept)| {
        let at = index;
        index += 1;
        if at == first {
            kept.clear();
            kept.extend_from_slice(value);
        }
        at <= first || !other.eq_ignore_ascii_case(name)
    });
}

pub(super) fn remove(headers: &mut Headers, name: &[u8]) {
    headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
}

/// Replaces all but the pseudo headers.
pub(super) fn replace_all(headers: &mut Headers, pairs: Headers) {
    headers.retain(|(name, _)| is_pseudo(name));
    headers.extend(pairs.into_iter().filter(|(name, _)| !is_pseudo(name)));
}

/// `:path` and its like, which say what the request is and are not sent as headers.
pub(super) fn is_pseudo(name: &[u8]) -> bool {
    name.starts_with(b":")
}

/// Whether a name is a token (RFC 9110, 5.6.2) and a value cannot end its line (RFC 9110, 5.5).
pub(super) fn is_valid(name: &[u8], value: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(token) && !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

/// Bytes that [`encode`] fills.
pub(super) fn encoded_len(headers: &Headers) -> usize {
    4 + headers.iter().map(|(name, value)| 8 + name.len() + 1 + value.len() + 1).sum::<usize>()
}

/// Writes the map into a place of [`encoded_len`] bytes; what does not fit is left out.
pub(super) fn encode(headers: &Headers, into: &mut [u8]) {
    let mut rest = into;
    put_len(&mut rest, headers.len());
    for (name, value) in headers {
        put_len(&mut rest, name.len());
        put_len(&mut rest, value.len());
    }
    for (name, value) in headers {
        for bytes in [name.as_slice(), b"\0", value, b"\0"] {
            put(&mut rest, bytes);
        }
    }
}

fn put_len(rest: &mut &mut [u8], len: usize) {
    // A guest's memory is addressed by 32 bits, so a length that fits into it fits here.
    put(rest, &u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    if let Some(target) = rest.split_off_mut(..bytes.len()) {
        target.copy_from_slice(bytes);
    }
}

/// Reads a map that a guest wrote; `None` if it is not one.
pub(super) fn decode(bytes: &[u8]) -> Option<Headers> {
    // The SDK sends nothing at all, or a count of zero, for an empty map.
    if bytes.is_empty() {
        return Some(Headers::new());
    }
    let mut lengths = bytes;
    let count = take_len(&mut lengths)?;
    let mut texts = lengths.get(count.checked_mul(8)?..)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let (name, value) = (take_len(&mut lengths)?, take_len(&mut lengths)?);
        headers.push((take_text(&mut texts, name)?, take_text(&mut texts, value)?));
    }
    Some(headers)
}

fn take_len(rest: &mut &[u8]) -> Option<usize> {
    let bytes = rest.split_off(..4)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

fn take_text(rest: &mut &[u8], len: usize) -> Option<Vec<u8>> {
    let text = rest.split_off(..len)?.to_vec();
    rest.split_off(..1)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_map_survives_the_guests_memory() {
        for pairs in [&[][..], &[("a", "")], &[(":path", "/x?y"), ("Accept", "*/*"), ("accept", "text/html")]]
        {
            let map = headers(pairs);
            let mut bytes = vec![0xff; encoded_len(&map)];
            encode(&map, &mut bytes);
            assert_eq!(decode(&bytes), Some(map));
        }
    }

    #[test]
    fn the_encoding_is_the_abis() {
        let map = headers(&[("ab", "c")]);
        let mut bytes = vec![0xff; encoded_len(&map)];
        encode(&map, &mut bytes);
        assert_eq!(bytes, [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, b'a', b'b', 0, b'c', 0]);
    }

    #[test]
    fn a_broken_map_is_refused_wherever_it_ends() {
        let map = headers(&[("ab", "c"), ("d", "ef")]);
        let mut bytes = vec![0; encoded_len(&map)];
        encode(&map, &mut bytes);
        for len in 1..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "cut at {len}");
        }
        assert_eq!(decode(&[0xff; 64]), None);
    }

    #[test]
    fn replacing_leaves_one_in_the_first_place() {
        let mut map = headers(&[("x", "1"), ("Key", "a"), ("y", "2"), ("KEY", "b")]);
        replace(&mut map, b"key", b"new");
        assert_eq!(map, headers(&[("x", "1"), ("Key", "new"), ("y", "2")]));
        replace(&mut map, b"z", b"3");
        assert_eq!(map, headers(&[("x", "1"), ("Key", "new"), ("y", "2"), ("z", "3")]));
    }

    #[test]
    fn a_value_cannot_smuggle_a_line() {
        for (name, value, valid) in [
            ("x-consumer-id", "a\tb \u{e9}", true),
            ("x", "", true),
            ("", "a", false),
            ("x y", "a", false),
            ("x:", "a", false),
            ("x\n", "a", false),
            ("x", "a\r\nb: c", false),
            ("x", "a\0", false),
        ] {
            assert_eq!(is_valid(name.as_bytes(), value.as_bytes()), valid, "{name:?}: {value:?}");
        }
    }
}
