//! Text with names to be filled in: `{{name}}`.
//!
//! What is filled in is checked beforehand (names of Kubernetes, ports), so nothing needs quotes.

/// The template with each `{{name}}` replaced by its value.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}
