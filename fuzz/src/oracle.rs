//! Paths and queries, read in the ways in which others read them.

/// Every path that some upstream may take this one for.
pub(crate) fn readings(path: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for decodings in 0..3 {
        let decoded = (0..decodings).fold(path.to_vec(), |path, _| decoded(&path));
        for cut in [&b""[..], b";", b"#", b"\0"] {
            for backslashes in [false, true] {
                let mut path = decoded.clone();
                if backslashes {
                    path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
                }
                let segments: Vec<_> =
                    path.split(|byte| *byte == b'/').map(|segment| until(segment, cut)).collect();
                all.push(resolved(&segments));
            }
        }
    }
    all
}

fn until<'s>(segment: &'s [u8], cut: &[u8]) -> &'s [u8] {
    segment.split(|byte| cut.contains(byte)).next().unwrap_or_default()
}

fn resolved(segments: &[&[u8]]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in segments {
        match *segment {
            b"" | b"." => (),
            b".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    kept.iter().flat_map(|segment| [b"/", *segment].concat()).collect()
}

/// `%41` is `A`; an escape that is none stays.
pub(crate) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text
            .get(at + 1..at + 3)
            .filter(|digits| text[at] == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// The arguments of a query as they stand, each with its name as OpenResty reads it.
pub(crate) fn arguments(query: &[u8]) -> Vec<(Vec<u8>, &[u8])> {
    let name = |argument: &[u8]| {
        let name = argument.split(|byte| *byte == b'=').next().unwrap_or_default();
        let spaced: Vec<_> = name.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        decoded(&spaced)
    };
    query.split(|byte| *byte == b'&').map(|argument| (name(argument), argument)).collect()
}
