//! decK's templates: `${{ env "NAME" }}`.
//!
//! decK replaces them before it parses the text (go-database-reconciler: pkg/file/readfile.go), so a state file does not
//! have to be valid YAML: `key: "${{ env "NAME" }}"` is not. Here each template is replaced by characters that have no
//! meaning in YAML and occupy the same number of bytes, so that all positions stay right.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;

/// A text in which every template is masked.
pub(super) struct Masked<'t> {
    pub(super) text: String,
    /// As they are written, in the order of the text.
    pub(super) templates: Vec<&'t str>,
}

impl<'t> Masked<'t> {
    /// Returns `None` if the text has no templates, or already holds one of the characters that mask them.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        if !text.contains(OPEN) || text.chars().any(|c| c >= FIRST) {
            return None;
        }
        let mut masked = String::with_capacity(text.len());
        let mut templates = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            let (before, from) = rest.split_at(start);
            masked += before;
            let name =
                u32::try_from(templates.len()).ok().and_then(|number| char::from_u32(FIRST as u32 + number));
            match length(from).zip(name.filter(|name| *name <= LAST)) {
                Some((length, name)) => {
                    // Writing to a String cannot fail.
                    let _ = write!(masked, "{name}{:~<1$}", "", length - name.len_utf8());
                    templates.push(&from[..length]);
                    rest = &from[length..];
                }
                // One that does not end in its line is none.
                None => {
                    masked += OPEN;
                    rest = &from[OPEN.len()..];
                }
            }
        }
        masked += rest;
        (!templates.is_empty()).then_some(Self { text: masked, templates })
    }
}

/// Returns a text without its templates, every other byte in its place.
pub fn without_templates(text: &str) -> Cow<'_, str> {
    match Masked::of(text) {
        Some(masked) => Cow::Owned(masked.text),
        None => Cow::Borrowed(text),
    }
}

/// Returns the templates in a text, in their order.
pub fn templates(text: &str) -> Vec<&str> {
    Masked::of(text).map(|masked| masked.templates).unwrap_or_default()
}

/// Returns a text in which the name of each variable stands in the place of its value, as `deck file render` writes it
/// unless it is told the values. Other templates stay.
pub fn with_names(text: &str) -> String {
    let mut named = text.to_owned();
    for template in templates(text) {
        if let Some(name) = VARIABLE.captures(template).and_then(|found| found.name("name")) {
            named = named.replacen(template, name.as_str(), 1);
        }
    }
    named
}

#[expect(clippy::expect_used, reason = "the pattern is constant, and tests use it")]
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\benv\s+["`](?<name>[^"`]+)["`]"#).expect("a pattern"));

/// Returns a string in double quotes in which templates stand as decK reads them: without escapes.
pub fn quoted(text: &str) -> String {
    match Masked::of(text) {
        Some(masked) => restore(&serde_json::Value::from(masked.text).to_string(), &masked.templates),
        None => serde_json::Value::from(text).to_string(),
    }
}

/// Returns a value with its templates as they were written.
pub(super) fn restore(value: &str, templates: &[&str]) -> String {
    let mut restored = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        let number = (c as u32).checked_sub(FIRST as u32).and_then(|number| usize::try_from(number).ok());
        match number.and_then(|number| templates.get(number)) {
            Some(template) => {
                restored += template;
                let filling = template.len() - c.len_utf8();
                rest.by_ref().take(filling).for_each(drop);
            }
            None => restored.push(c),
        }
    }
    restored
}

/// The length of the template at the start of a text. Its end does not count within a string of Go's.
fn length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut bytes = text.bytes().enumerate().skip(OPEN.len());
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (_, b'\n' | b'\r') => return None,
            (Some(b'"'), b'\\') => drop(bytes.next()),
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'`') => quote = Some(byte),
            (None, b'}') if text[at..].starts_with(CLOSE) => return Some(at + CLOSE.len()),
            _ => {}
        }
    }
    None
}

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// Private use, four bytes in UTF-8, and no template is shorter than five.
const FIRST: char = '\u{f0000}';
const LAST: char = '\u{ffffd}';

#[cfg(test)]
mod tests {
    use super::super::{Node, Report, parse, parse_all};
    use super::*;

    #[test]
    fn templates_are_masked_in_place_and_restored() {
        let rows = [
            ("key: \"${{ env \"DECK_KEY\" }}\"\n", vec!["${{ env \"DECK_KEY\" }}"]),
            ("a: ${{x}}${{y}}\n", vec!["${{x}}", "${{y}}"]),
            ("ä: '${{ env `}}` }}'\n", vec!["${{ env `}}` }}"]),
            ("a: \"${{ env \"\\\"}}\" }}\"\n", vec!["${{ env \"\\\"}}\" }}"]),
            ("a: ${{ b\nc: ${{ d }}\n", vec!["${{ d }}"]),
        ];
        for (text, templates) in rows {
            let masked = Masked::of(text).unwrap();
            assert_eq!(masked.templates, templates, "{text}");
            assert_eq!(masked.text.len(), text.len(), "{text}");
            assert_eq!(restore(&masked.text, &masked.templates), text, "{text}");
        }
        for text in ["a: b", "a: ${{ b", "a: ${b}", "a: \u{f0000}${{ b }}"] {
            assert!(Masked::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_template_is_a_string_wherever_a_value_can_stand() {
        let reference = "${{ env \"DECK_KEY\" }}";
        let rows = [
            format!("key: \"{reference}\"\n"),
            format!("key: '{reference}'\n"),
            format!("key: {reference}\n"),
            format!("key: {reference} # a comment with {reference}\n"),
            format!("{{key: {reference}}}\n"),
            format!("{{\"key\": \"{reference}\"}}\n"),
            format!("key: >-\n  {reference}\n"),
        ];
        for text in rows {
            let report = Report::new(None);
            let documents = parse_all(&text, &report).unwrap();
            report.conclude(Some(())).unwrap_or_else(|problems| panic!("{text}: {problems}"));
            let [document] = documents.as_slice() else { panic!("{text}") };
            assert_eq!(document.node.get("key").and_then(Node::as_str), Some(reference), "{text}");
        }
        let text = format!("a: \"x-{reference}-y\"\nb: ü\n");
        let documents = parse_all(&text, &Report::new(None)).unwrap();
        let (a, b) = (documents[0].node.get("a").unwrap(), documents[0].node.get("b").unwrap());
        assert_eq!(a.as_str(), Some(format!("x-{reference}-y").as_str()));
        assert_eq!((&text[a.span.clone()], &text[b.span.clone()]), (&*format!("\"x-{reference}-y\""), "ü"));
    }

    #[test]
    fn a_quoted_template_is_read_as_it_was() {
        for text in ["a \" ${{ env \"DECK_KEY\" }} \\", "it's ${{ env \"DECK_KEY\" }}", "\"", "${{"] {
            let documents = parse_all(&quoted(text), &Report::new(None)).unwrap();
            assert_eq!(documents[0].node.as_str(), Some(text));
        }
    }

    #[test]
    fn variables_are_named_as_deck_names_them() {
        let rows = [
            ("a-${{ env \"DECK_A\" }}-${{ env `DECK_B` | toInt }}", "a-DECK_A-DECK_B"),
            ("${{ if true }}", "${{ if true }}"),
            ("a", "a"),
        ];
        for (text, expected) in rows {
            assert_eq!(with_names(text), expected);
        }
    }

    #[test]
    fn a_gateway_reads_no_templates_and_the_error_says_so() {
        let report = Report::new(None);
        assert!(parse("key: \"${{ env \"DECK_KEY\" }}\"\n", &report).is_none());
        let problems = report.conclude(None::<()>).unwrap_err().to_string();
        assert!(problems.contains("deck file render --populate-env-vars"), "{problems}");
    }
}
