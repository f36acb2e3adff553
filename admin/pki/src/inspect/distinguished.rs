//! Distinguished names as text that cannot be mistaken for another name.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Oid, Tag};
use x509_parser::x509::X509Name;

/// As RFC 4514 escapes, but in the order of the certificate: `C=NL, O=Dogs\, Inc., CN=kong-client`. Control characters
/// come as `\0A`, so that a name can neither break a line nor colour a terminal.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for (at, set) in name.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        for (at, attribute) in set.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { " + " });
            text.push_str(&kind(attribute.attr_type()));
            text.push('=');
            text.push_str(&value(attribute.attr_value()));
        }
    }
    text
}

/// Text from a certificate that is not a name's: control characters escaped.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if c.is_control() => hex(&mut printable, c),
            c => printable.push(c),
        }
    }
    printable
}

/// The names that people know; dotted numbers for others.
fn kind(oid: &Oid<'_>) -> String {
    let dotted = oid.to_id_string();
    let short = match dotted.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return dotted,
    };
    short.to_owned()
}

fn value(value: &Any<'_>) -> String {
    let Some(decoded) = decode(value) else {
        let mut dump = String::from("#");
        // Writing to a String cannot fail.
        let _ = value.data.iter().try_for_each(|byte| write!(dump, "{byte:02X}"));
        return dump;
    };
    let last = decoded.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(decoded.len());
    for (at, character) in decoded.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', character]),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            c if c.is_control() => hex(&mut text, c),
            c => text.push(c),
        }
    }
    text
}

/// Every string type of X.520, as what it says.
fn decode(value: &Any<'_>) -> Option<String> {
    let data = value.data;
    match value.header.tag() {
        Tag::Utf8String => String::from_utf8(data.to_vec()).ok(),
        // TeletexString in practice is Latin-1, and so is what a careless hand puts into the ASCII ones.
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString | Tag::T61String => {
            Some(data.iter().map(|byte| char::from(*byte)).collect())
        }
        Tag::BmpString => {
            let units = data.chunks(2).map(|unit| Some(u16::from_be_bytes(unit.try_into().ok()?)));
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        Tag::UniversalString => {
            let units = data.chunks(4).map(|unit| char::from_u32(u32::from_be_bytes(unit.try_into().ok()?)));
            units.collect()
        }
        _ => None,
    }
}

/// Each byte of its UTF-8.
fn hex(text: &mut String, character: char) {
    let mut utf8 = [0; 4];
    for byte in character.encode_utf8(&mut utf8).bytes() {
        let _ = write!(text, "\\{byte:02X}");
    }
}
