//! What a plain scalar of YAML means.

/// The type of a plain scalar (YAML 1.2.2, section 10.3).
///
/// A scalar that YAML 1.1 reads as a boolean or a number has that type too, although it is a string in YAML 1.2: a
/// `username: no` that is moved from Kong's declarative configuration, which is YAML 1.1, must not change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Null,
    Boolean,
    Number,
    String,
}

impl Plain {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "yes" | "Yes" | "YES" | "no" | "No"
            | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => Self::Boolean,
            _ if is_number(text) => Self::Number,
            _ => Self::String,
        }
    }
}

/// Decimal, hexadecimal, octal, binary and sexagesimal numbers, with `_` between digits, and the words for infinity and
/// not a number.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(text, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let all = |digits: &str, is: fn(u8) -> bool| {
        digits.bytes().any(is) && digits.bytes().all(|byte| is(byte) || byte == b'_')
    };
    let decimal: fn(u8) -> bool = |byte| byte.is_ascii_digit();
    if let Some((prefix, digits)) = text.split_at_checked(2) {
        match prefix {
            "0x" => return all(digits, |byte| byte.is_ascii_hexdigit()),
            "0o" | "0b" => return all(digits, decimal),
            _ => {}
        }
    }
    if text.contains(':') {
        return text
            .split(':')
            .all(|part| all(part.split_once('.').map_or(part, |(whole, _)| whole), decimal));
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => all(&format!("{whole}{fraction}"), decimal),
        None => all(mantissa, decimal),
    };
    mantissa && exponent.is_none_or(|exponent| all(exponent, decimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_yaml_1_1_and_1_2() {
        let rows = [
            (Plain::Null, &["", "~", "null", "NULL"][..]),
            (Plain::Boolean, &["true", "False", "yes", "NO", "on", "Off"]),
            (
                Plain::Number,
                &[
                    "0",
                    "-1",
                    "+7",
                    "0123",
                    "1_000",
                    "0x1F",
                    "0o17",
                    "0b01",
                    "1.5",
                    ".5",
                    "1.",
                    "1e5",
                    "1.5E-3",
                    "12:30",
                    "1:30:00.5",
                    ".inf",
                    "-.INF",
                    ".nan",
                ],
            ),
            (
                Plain::String,
                &[
                    "a",
                    "nope",
                    "2026-10-01",
                    "2026-10-01T00:00:00Z",
                    "2026-q4",
                    "1.2.3",
                    "0x",
                    "e5",
                    "1e",
                    "-",
                    ".",
                    "_",
                    "12:",
                    "a:b",
                    "9f86d081884c7d65",
                    "+",
                    "é",
                ],
            ),
        ];
        for (kind, texts) in rows {
            for text in texts {
                assert_eq!(Plain::of(text), kind, "{text:?}");
            }
        }
    }
}
