//! What is to be said of a document, as people see it and as programs do.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use serde_json::{Value, json as object};

use super::Document;
use super::document::{one_line, position};
use kong_config::document::visible;

/// One thing that is to be said, and where it stands.
#[derive(Clone)]
pub struct Finding<'d> {
    pub severity: Severity,
    /// What kind it is of, for programs.
    pub code: &'static str,
    /// What the document is called.
    pub name: &'d str,
    pub(super) shown: &'d str,
    /// Within one line; absent where the whole document is meant.
    pub span: Option<Range<usize>>,
    /// In the policy or the document: `rules[0].match.methods[1]`.
    pub path: String,
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// An error is what no gateway takes; a warning, what is hardly meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl<'d> Finding<'d> {
    /// A warning about what stands at these bytes.
    pub(super) fn warning(
        code: &'static str,
        document: &'d Document,
        span: Range<usize>,
        message: String,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            code,
            name: &document.name,
            shown: document.shown(),
            span: Some(one_line(document.shown(), span)),
            path: String::new(),
            message,
            help: None,
        }
    }

    pub(super) fn at(mut self, path: String) -> Self {
        self.path = path;
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column, counted from 1, the column in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| position(self.shown, span.start))
    }
}

/// As a compiler shows mistakes, with colours. Wide lines are cut around what is meant.
pub fn text(findings: &[Finding<'_>]) -> String {
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    findings.iter().map(|finding| rendered(&renderer, finding) + "\n\n").collect()
}

fn rendered(renderer: &Renderer, finding: &Finding<'_>) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(visible(&finding.message)).id(finding.code);
    let group = match &finding.span {
        Some(span) => {
            let label = Some(visible(&finding.path)).filter(|path| !path.is_empty());
            let annotation = AnnotationKind::Primary.span(span.clone()).label(label);
            title.element(Snippet::source(finding.shown).path(finding.name).annotation(annotation))
        }
        None => title.element(Origin::path(finding.name)),
    };
    let help = finding.help.as_ref().map(|help| Level::HELP.message(visible(help)));
    renderer.render(&[group.elements(help)])
}

/// As one JSON value.
pub fn json(findings: &[Finding<'_>]) -> Value {
    let each = findings.iter().map(|finding| {
        let (line, column) = finding.position().unzip();
        let end = finding.span.as_ref().map(|span| position(finding.shown, span.end));
        let (end_line, end_column) = end.unzip();
        object!({
            "severity": finding.severity,
            "code": finding.code,
            "file": finding.name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "path": finding.path,
            "message": finding.message,
            "help": finding.help,
        })
    });
    each.collect()
}
