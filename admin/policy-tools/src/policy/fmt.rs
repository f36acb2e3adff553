//! One way to write a policy: fields in the order of the reference, one style of spaces and lines, comments where they
//! belong. What a text means never changes, and no comment is lost: the result is read again and compared, and where
//! that cannot be promised the text is refused.

mod comments;
mod emit;
mod json;
mod order;
mod tree;
mod written;

pub use written::written;

pub(super) use order::Role;

use anyhow::ensure;
use saphyr_parser::{Event, Parser};

use super::{Document, Setup, root_of};
use kong_config::document::{Node, Report};

/// The document in its one way, YAML or JSON as it was.
///
/// # Errors
/// It has anchors, aliases or tags, which would be lost, or comments that would be.
pub fn format(document: &Document, setup: &Setup<'_>) -> anyhow::Result<String> {
    let text = &document.text;
    let policies: Vec<_> = setup.policies.iter().map(|policy| policy.config.span.clone()).collect();
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        return Ok(json::text(&document.root, text, &policies));
    }
    let name = &document.name;
    ensure!(!document.is_stream(), "{name} holds several documents: this file stays as it is written");
    if let Some(line) = lost(text) {
        anyhow::bail!(
            "{name}:{line}: anchors, aliases and tags would be lost: this file stays as it is written"
        );
    }
    let tree = tree::Tree::of(&document.root, text, &policies);
    let formatted = emit::text(tree);
    let again = root_of(&formatted, &Report::new(None)).map(|(root, _)| root);
    let same = again.as_ref().map(Node::to_json) == Some(document.root.to_json());
    ensure!(same, "{name} is written in a way that cannot be formatted without a change: it stays as it is");
    let mut before_and_after =
        [kong_config::document::templates(text), kong_config::document::templates(&formatted)];
    before_and_after.iter_mut().for_each(|templates| templates.sort_unstable());
    let [before, after] = before_and_after;
    ensure!(
        before == after,
        "{name}: a template of decK's would be written otherwise: this file stays as it is"
    );
    let kept = |text: &str, root: &Node| {
        let mut all: Vec<_> = comments::of(text, root).into_iter().map(|comment| comment.text).collect();
        all.sort();
        all
    };
    let kept = again.is_some_and(|again| kept(&formatted, &again) == kept(text, &document.root));
    ensure!(kept, "{name}: a comment would be lost: this file stays as it is written");
    Ok(formatted)
}

/// Whether a text has any.
pub(super) fn has_comments(text: &str, root: &Node) -> bool {
    !comments::of(text, root).is_empty()
}

/// The first line with what the tree does not hold.
fn lost(text: &str) -> Option<usize> {
    let text = kong_config::document::without_templates(text);
    Parser::new_from_str(&text).filter_map(Result::ok).find_map(|(event, at)| {
        let lost = match event {
            Event::Alias(_) => true,
            Event::Scalar(_, _, anchor, tag) => anchor != 0 || tag.is_some(),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                anchor != 0 || tag.is_some()
            }
            _ => false,
        };
        lost.then_some(at.start.line())
    })
}
