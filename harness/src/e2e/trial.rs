//! Brings all of it up and asks every case.

use std::time::Instant;

use anyhow::{Context, bail};

use super::config::Own;
use super::explain::Explainer;
use super::report::{self, Report, Tried};
use crate::cases::{Case, Suite, Text, http, judge};
use crate::dogcatcher::ClientCertificate;
use crate::gateway::Gateway;
use crate::progress;
use crate::stack::{ANY_PORT, Keys, Plan, Stack};
use kong_config::document::nearest;

/// Asks all cases of a suite.
///
/// # Errors
/// A case speaks of a key that nobody has, the gateway does not come up, or it does not listen.
pub fn run(gateway: &dyn Gateway, config: (&str, Own), suite: &Suite) -> anyhow::Result<Report> {
    let began = Instant::now();
    let (file, Own { text, clients, keys }) = config;
    everybody_is_known(suite, &keys)?;
    let explainer = Explainer::of(&text);
    let clients: Vec<_> = clients.iter().map(String::as_str).collect();
    let plan = Plan { config: &text, clients: &clients, proxy: ANY_PORT, status: None };
    let stack = Stack::up_with(gateway, &plan, keys)?;
    // A mock that lets everybody in can tell of those who show no certificate.
    let mut tls = stack.dogcatcher_tls();
    tls.client_certificate = ClientCertificate::Asked;
    stack.dogcatcher().set_tls(&tls)?;

    let mut report = Report {
        gateway: gateway.name().to_owned(),
        config: file.to_owned(),
        suite: suite.file.clone(),
        topic: suite.topic.clone(),
        took: began.elapsed(),
        cases: Vec::with_capacity(suite.cases.len()),
    };
    for (number, case) in suite.cases.iter().enumerate() {
        progress::at(format!("{} of {}: {}", number + 1, suite.cases.len(), case.name));
        let tried = tried(case, &stack, gateway.request_id_header(), &explainer)
            .with_context(|| case.name.clone())?;
        report.cases.push(tried);
    }
    report.took = began.elapsed();
    Ok(report)
}

fn tried(case: &Case, stack: &Stack, request_id: &str, explainer: &Explainer) -> anyhow::Result<Tried> {
    let began = Instant::now();
    let keys = stack.keys();
    let outcome = http::ask(stack, &case.request.bytes("", keys)?, request_id)?;
    let took = began.elapsed();
    let wrong = judge(&case.owed, &outcome, keys)?;
    // The only way into a report leads through here.
    let plain = |text: &str| keys.redact(text);
    Ok(Tried {
        name: plain(&case.name),
        line: case.line,
        took,
        sent: plain(&report::sent(&case.request)),
        owed: plain(&report::owed(&case.owed)),
        came: plain(&report::came(&outcome)),
        because: explainer.explain(&case.request, keys).iter().map(|line| plain(line)).collect(),
        wrong: wrong.iter().map(|line| plain(line)).collect(),
    })
}

/// A name that nobody has would be a key that nobody lets in: a mistake that looks like an answer.
fn everybody_is_known(suite: &Suite, keys: &Keys) -> anyhow::Result<()> {
    let known = keys.names();
    for case in &suite.cases {
        let request = &case.request;
        let headers = request.headers.iter().flat_map(|(name, value)| [name, value]);
        let texts = headers.chain([&request.method, &request.target]).chain(&request.body);
        if let Some(name) = texts.flat_map(Text::names).find(|name| !keys.knows(name)) {
            let hint = nearest(name, known.iter().map(String::as_str));
            let hint = hint.map_or_else(
                || format!("there are: {}", known.join(", ")),
                |near| format!("did you mean <{near}>?"),
            );
            bail!(
                "{}:{}: {}: nobody in the config is called {name:?} ({hint})",
                suite.file,
                case.line,
                case.name
            );
        }
    }
    Ok(())
}
