//! Headers as a proxy-wasm host hands them to the filter.

use mtls_policy::pairs::{Pairs, written};

/// Bytes as they lie in the filter's memory.
pub(super) fn run(data: &[u8]) {
    let pairs = Pairs::received(data.to_vec());
    let read: Vec<_> = pairs.iter().collect();
    let length: usize = read.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    assert!(read.is_empty() || length + 4 <= data.len(), "more was read than there is");

    // What is written is read again as it was.
    let texts: Vec<_> = read
        .iter()
        .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?)))
        .collect();
    let again = Pairs::received(written(&texts));
    let bytes: Vec<_> = texts.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    assert_eq!(again.iter().collect::<Vec<_>>(), bytes);
}
