//! What was tried and what came of it, ready to be shown.

use std::fmt::Write;
use std::time::Duration;

use crate::cases::{Certificate, Outcome, Owed, Request, Text, Upstream, Values};

/// All that was tried.
pub struct Report {
    pub gateway: String,
    /// The file of the config.
    pub config: String,
    /// The file of the cases, and its topic.
    pub suite: String,
    pub topic: String,
    pub took: Duration,
    pub cases: Vec<Tried>,
}

/// One case. All texts are without keys.
pub struct Tried {
    pub name: String,
    pub line: usize,
    pub took: Duration,
    /// What was sent, line by line.
    pub sent: String,
    /// What was owed, line by line.
    pub owed: String,
    /// What came, line by line.
    pub came: String,
    /// Why: the route, the caller, and the rule that decided.
    pub because: Vec<String>,
    /// Nothing: all is as it is owed.
    pub wrong: Vec<String>,
}

impl Report {
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.wrong.is_empty()).count()
    }
}

/// All failures, for people who look at a terminal.
pub fn failures(report: &Report) -> String {
    let failed = report.cases.iter().filter(|case| !case.wrong.is_empty());
    failed.map(|case| failure(case, &report.suite)).collect()
}

/// A failure, for people who look at a terminal.
pub(super) fn failure(case: &Tried, suite: &str) -> String {
    let mut text = format!("\n✗ {suite}:{}: {}\n", case.line, case.name);
    let because = case.because.join("\n");
    let parts = [("sent", &case.sent), ("owed", &case.owed), ("came", &case.came), ("decided by", &because)];
    for (title, lines) in parts {
        let _ = writeln!(text, "  {title}:");
        for line in lines.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    let _ = writeln!(text, "  wrong:");
    for line in &case.wrong {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// As a case writes it, so with keys by their names.
pub(super) fn sent(request: &Request) -> String {
    let mut text = format!("{} {}", request.method, request.target);
    for (name, value) in &request.headers {
        let _ = write!(text, "\n{name}: {value}");
    }
    if let Some(body) = &request.body {
        let _ = write!(text, "\n\n{body}");
    }
    text
}

pub(super) fn owed(owed: &Owed) -> String {
    let mut lines = Vec::new();
    lines.extend(owed.status.map(|status| format!("status {status}")));
    lines.extend(owed.message.as_ref().map(|message| format!("message {:?}", message.to_string())));
    lines.extend(headers(&owed.headers));
    lines.extend(owed.body.as_ref().map(|body| format!("body {:?}", body.to_string())));
    lines.extend(owed.holds.iter().map(|part| format!("body with {:?}", part.to_string())));
    match &owed.upstream {
        None => lines.push("upstream hears nothing".to_owned()),
        Some(upstream) => lines.extend(heard(upstream)),
    }
    lines.join("\n")
}

fn heard(upstream: &Upstream) -> Vec<String> {
    let mut lines = vec![match &upstream.certificate {
        None => "upstream hears it".to_owned(),
        Some(Certificate::Named(name)) => format!("upstream hears it as {name}"),
        Some(Certificate::None) => "upstream hears it without a certificate".to_owned(),
    }];
    lines.extend(upstream.method.as_ref().map(|method| format!("  method {method}")));
    lines.extend(upstream.uri.as_ref().map(|uri| format!("  uri {uri}")));
    lines.extend(headers(&upstream.headers).map(|line| format!("  {line}")));
    lines
}

fn headers(owed: &[(String, Values)]) -> impl Iterator<Item = String> {
    owed.iter().map(|(name, values)| match values {
        Values::Absent => format!("no header {name}"),
        Values::These(texts) => {
            let texts: Vec<_> = texts.iter().map(Text::to_string).collect();
            format!("header {name}: {}", texts.join(" | "))
        }
    })
}

pub(super) fn came(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    if let Some(answer) = &outcome.answer {
        lines.push(format!("status {}", answer.status));
        lines.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        // The mock's answer repeats what it heard.
        if outcome.upstream.is_none() {
            lines.extend(answer.body.lines().map(str::to_owned));
        }
    }
    match &outcome.upstream {
        None => lines.push("upstream heard nothing".to_owned()),
        Some(heard) => {
            let as_whom = heard.certificate.as_deref().unwrap_or("nobody");
            lines.push(format!("upstream heard {} {} as {as_whom}", heard.method, heard.uri));
            lines.extend(heard.headers.iter().map(|(name, value)| format!("  {name}: {value}")));
        }
    }
    lines.join("\n")
}
