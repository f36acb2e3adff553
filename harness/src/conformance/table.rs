//! Hosts and topics: what is as owed, what differs with a reason, and what is wrong.

use std::collections::BTreeMap;
use std::fmt;

use super::column::Cell;
use super::{Column, Lineup, Verdict};

/// A lineup as text.
pub struct Table<'l>(pub &'l Lineup);

#[derive(Default)]
struct Counts {
    as_owed: usize,
    differs: usize,
    not_asked: usize,
    wrong: usize,
}

impl Counts {
    fn of<'c>(cells: impl Iterator<Item = &'c Cell>) -> Self {
        let mut counts = Self::default();
        for cell in cells {
            *match cell.verdict {
                Verdict::AsOwed => &mut counts.as_owed,
                Verdict::Differs(_) => &mut counts.differs,
                Verdict::NotAsked(_) => &mut counts.not_asked,
                Verdict::Wrong(_) => &mut counts.wrong,
            } += 1;
        }
        counts
    }
}

/// `38 ≠2 ·1 ✗1`; what there is none of is left out.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { as_owed, differs, not_asked, wrong } = self;
        let mut text = if *as_owed > 0 { as_owed.to_string() } else { "-".to_owned() };
        for (sign, count) in [('≠', differs), ('·', not_asked), ('✗', wrong)] {
            if *count > 0 {
                text += &format!(" {sign}{count}");
            }
        }
        f.pad(&text)
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lineup { columns, absent } = self.0;
        self.counts(f)?;
        writeln!(f, "\n≠ differs with a reason   · means nothing to this host   ✗ wrong")?;
        for one in absent {
            writeln!(f, "skipped: {}: {}", one.host, one.why)?;
        }
        reasons(f, "Differences", columns, |verdict| match verdict {
            Verdict::Differs(because) => Some(because),
            _ => None,
        })?;
        reasons(f, "Not asked", columns, |verdict| match verdict {
            Verdict::NotAsked(because) => Some(because),
            _ => None,
        })?;
        for column in columns {
            for (place, why) in column.wrong() {
                writeln!(f, "\n✗ {}: {place}", column.host)?;
                why.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
            }
        }
        let cases = columns.first().map_or(0, |column| column.cells.len());
        writeln!(f, "\n{cases} cases, {} hosts, {} unreasoned differences", columns.len(), self.0.wrong())
    }
}

impl Table<'_> {
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = &self.0.columns;
        let cells = columns.iter().flat_map(|column| &column.cells);
        let mut topics: Vec<&str> = cells.map(|cell| cell.topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        let width = topics.iter().map(|topic| topic.len()).max().unwrap_or(0);
        write!(f, "{:width$}", "")?;
        columns.iter().try_for_each(|column| write!(f, "  {:>CELL$}", column.host))?;
        writeln!(f)?;
        for topic in topics {
            write!(f, "{topic:width$}")?;
            for column in columns {
                let counts = Counts::of(column.cells.iter().filter(|cell| cell.topic == topic));
                write!(f, "  {counts:>CELL$}")?;
            }
            writeln!(f)?;
        }
        write!(f, "{:width$}", "all")?;
        columns.iter().try_for_each(|column| write!(f, "  {:>CELL$}", Counts::of(column.cells.iter())))?;
        writeln!(f)
    }
}

/// By host and reason, with the cases that it is the reason of.
fn reasons(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    columns: &[Column],
    reason: impl Fn(&Verdict) -> Option<&String>,
) -> fmt::Result {
    let mut all: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for column in columns {
        for cell in &column.cells {
            if let Some(because) = reason(&cell.verdict) {
                all.entry((&column.host, because)).or_default().push(&cell.name);
            }
        }
    }
    if !all.is_empty() {
        writeln!(f, "\n{title}:")?;
    }
    for ((host, because), names) in all {
        let shown = &names[..names.len().min(SHOWN)];
        let more =
            if names.len() > SHOWN { format!(", and {} more", names.len() - SHOWN) } else { String::new() };
        writeln!(f, "  {host}: {because} ({}{more})", shown.join("; "))?;
    }
    Ok(())
}

/// Wide enough for the counts of a cell.
const CELL: usize = 14;

/// Names that are shown of those that have one reason.
const SHOWN: usize = 3;
