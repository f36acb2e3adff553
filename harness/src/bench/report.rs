//! What was measured: figures, and a table of them.

use std::fmt::Write;

use serde::Serialize;

use super::cores::Cores;
use super::measure::{Round, Turn};
use super::spread::Spread;
use super::{Arrangement, Plan};

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub gateway: &'static str,
    pub cores: Cores,
    /// Whether every variant had a gateway of its own.
    pub apart: bool,
    pub connections: usize,
    pub rounds: usize,
    /// Of one turn.
    pub seconds: f64,
    /// Requests per second that load and upstream reach without a gateway and without TLS.
    pub limit: Option<Spread>,
    /// Variants that the others are compared with.
    pub baselines: Vec<String>,
    pub rows: Vec<Row>,
}

/// One variant.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub variant: String,
    pub is: String,
    pub requests_per_second: Option<Spread>,
    /// Processor time of the gateway's workers for one request.
    pub processor_microseconds: Option<Spread>,
    pub against: Vec<Against>,
}

/// A variant beside a baseline of the same round; more is better, 1 is level.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    pub baseline: String,
    pub requests_per_second: Option<Spread>,
    /// The baseline's processor time divided by the variant's.
    pub processor: Option<Spread>,
}

impl Report {
    pub(super) fn new(gateway: &'static str, plan: &Plan, cores: Cores, rounds: &[Round]) -> Self {
        let rows = plan.variants.iter().enumerate().map(|(index, variant)| Row {
            variant: variant.name.clone(),
            is: variant.is.clone(),
            requests_per_second: Spread::of(turns(rounds, index).map(|turn| turn.requests_per_second)),
            processor_microseconds: Spread::of(
                turns(rounds, index).filter_map(|turn| turn.processor_microseconds),
            ),
            against: against(plan, rounds, index),
        });
        Self {
            gateway,
            cores,
            apart: plan.arrangement == Arrangement::Apart,
            connections: plan.connections,
            rounds: plan.rounds,
            seconds: plan.time.as_secs_f64(),
            limit: Spread::of(rounds.iter().map(|round| round.limit.requests_per_second)),
            baselines: plan.baselines.iter().filter(|name| position(plan, name).is_some()).cloned().collect(),
            rows: rows.collect(),
        }
    }

    /// As a table in Markdown, with a line before it that says what was measured where.
    pub fn markdown(&self) -> String {
        let Self { gateway, cores, apart, connections, rounds, seconds, limit, baselines, rows } = self;
        let gateways = if *apart { "a gateway for each variant" } else { "one gateway for all variants" };
        let mut text = format!(
            "{gateway}, {gateways}; {}; {connections} connections, {rounds} rounds of {seconds} s each; \
             median (least, greatest).\nWithout a gateway and without TLS, load and upstream reach {} requests/s.\n\n",
            cores.describe(),
            cell(limit.as_ref(), 0),
        );
        let mut head =
            vec!["variant".to_owned(), "requests/s".to_owned(), "processor, µs/request".to_owned()];
        for baseline in baselines {
            head.push(format!("requests/s against {baseline}"));
            head.push(format!("processor against {baseline}"));
        }
        line(&mut text, &head);
        line(&mut text, &vec!["---"; head.len()]);
        for row in rows {
            let mut cells = vec![
                format!("**{}**: {}", row.variant, row.is),
                cell(row.requests_per_second.as_ref(), 0),
                cell(row.processor_microseconds.as_ref(), 1),
            ];
            for baseline in baselines {
                let against = row.against.iter().find(|against| against.baseline == *baseline);
                cells.push(cell(against.and_then(|against| against.requests_per_second.as_ref()), 2));
                cells.push(cell(against.and_then(|against| against.processor.as_ref()), 2));
            }
            line(&mut text, &cells);
        }
        text
    }
}

fn turns(rounds: &[Round], index: usize) -> impl Iterator<Item = Turn> + '_ {
    rounds.iter().filter_map(move |round| round.turns.get(index).copied())
}

/// Beside each baseline but itself.
fn against(plan: &Plan, rounds: &[Round], index: usize) -> Vec<Against> {
    let baselines = plan.baselines.iter().filter_map(|name| Some((name, position(plan, name)?)));
    let others = baselines.filter(|(_, position)| *position != index);
    others
        .map(|(name, position)| {
            let pairs = || turns(rounds, index).zip(turns(rounds, position));
            Against {
                baseline: name.clone(),
                requests_per_second: Spread::of(
                    pairs().map(|(own, other)| own.requests_per_second / other.requests_per_second),
                ),
                processor: Spread::of(pairs().filter_map(|(own, other)| {
                    Some(other.processor_microseconds? / own.processor_microseconds?)
                })),
            }
        })
        .collect()
}

fn position(plan: &Plan, name: &str) -> Option<usize> {
    plan.variants.iter().position(|variant| variant.name == name)
}

fn cell(spread: Option<&Spread>, digits: usize) -> String {
    match spread {
        Some(Spread { median, min, max }) => {
            format!("{median:.digits$} ({min:.digits$}, {max:.digits$})")
        }
        None => "–".to_owned(),
    }
}

fn line(text: &mut String, cells: &[impl AsRef<str>]) {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
