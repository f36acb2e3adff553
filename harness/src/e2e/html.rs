//! A report as one page that needs nothing beside itself.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::report::{Report, Tried};

/// The whole page.
pub fn html(report: &Report) -> String {
    let (all, failed) = (report.cases.len(), report.failed());
    let verdict = match failed {
        0 => format!("all {all} as they are owed"),
        failed => format!("{failed} of {all} are not as they are owed"),
    };
    let mut page = format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>{topic}: {verdict}</title>
<style>{STYLE}</style>
<h1 class=\"{class}\">{topic}: {verdict}</h1>
<p>{config} on {gateway}, cases of {suite}, {seconds:.1} s</p>
",
        class = class(failed == 0),
        topic = escape(&report.topic),
        config = escape(&report.config),
        gateway = escape(&report.gateway),
        suite = escape(&report.suite),
        seconds = report.took.as_secs_f64(),
    );
    for case in &report.cases {
        one(&mut page, case);
    }
    page
}

/// Those that failed stand open.
fn one(page: &mut String, case: &Tried) {
    let good = case.wrong.is_empty();
    let _ = write!(
        page,
        "<details class=\"{}\"{}><summary>{} <small>line {}, {} ms</small></summary>\n<dl>\n",
        class(good),
        if good { "" } else { " open" },
        escape(&case.name),
        case.line,
        case.took.as_millis(),
    );
    let (wrong, because) = (case.wrong.join("\n"), case.because.join("\n"));
    let parts = [
        ("wrong", &wrong),
        ("sent", &case.sent),
        ("owed", &case.owed),
        ("came", &case.came),
        ("decided by", &because),
    ];
    for (title, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        let _ = writeln!(page, "<dt>{title}<dd><pre>{}</pre>", escape(text.as_str()));
    }
    page.push_str("</dl></details>\n");
}

fn class(good: bool) -> &'static str {
    if good { "good" } else { "bad" }
}

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
.good::before, .good > summary::before { content: '\\2713  '; color: #2a8a3e }
.bad::before, .bad > summary::before { content: '\\2717  '; color: #c9302c }
details::before { content: none !important }
summary { cursor: pointer; list-style: none; padding: .2rem 0 }
small { opacity: .6 }
dt { font-weight: 600 }
dd { margin: 0 0 .5rem }
pre { margin: 0; padding: .5rem; overflow-x: auto; background: #8882; border-radius: 4px; white-space: pre-wrap }
";
