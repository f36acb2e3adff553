//! Headers in the form in which host and filter hand them to each other (Proxy-Wasm ABI 0.2.1, "header map").
//!
//! Their number, then two lengths for each, then each name and value with a NUL behind it; numbers are little-endian.

/// Headers as the host hands them over: in their order, duplicates too, without a copy of each.
pub struct Pairs(Vec<u8>);

impl Pairs {
    /// What is not as it should be ends the headers.
    pub fn received(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, rest) =
            self.0.split_first_chunk().map_or((0, &[][..]), |(count, rest)| (number(*count), rest));
        let (lengths, mut texts) = rest.split_at_checked(count.saturating_mul(8)).unwrap_or_default();
        let mut text = move |length: [u8; 4]| {
            let (text, rest) = texts.split_at_checked(number(length))?;
            texts = rest.get(1..)?;
            Some(text)
        };
        let (pairs, _) = lengths.as_chunks::<8>();
        pairs
            .iter()
            .map_while(move |&[a, b, c, d, e, f, g, h]| Some((text([a, b, c, d])?, text([e, f, g, h])?)))
    }
}

fn number(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}

/// As [`Pairs`] are read.
pub fn written(headers: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut pairs = u32::try_from(headers.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    for (name, value) in headers {
        pairs.extend(length(name));
        pairs.extend(length(value));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        pairs.extend(text.as_bytes());
        pairs.push(0);
    }
    pairs
}
