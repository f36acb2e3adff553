//! Which requests are meant, in few words.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::Request;
use crate::policy::partition::{OTHER, Partition};

/// A kind of request: which of the partition's methods, paths, hosts and headers.
pub(super) type Cell = [usize; 4];

/// Every kind of request.
pub(super) fn cells(partition: &Partition) -> impl Iterator<Item = (Cell, Request)> {
    let [methods, paths, hosts, headers] = sizes(partition);
    let cells = (0..methods).flat_map(move |method| {
        (0..paths).flat_map(move |path| {
            (0..hosts).flat_map(move |host| (0..headers).map(move |header| [method, path, host, header]))
        })
    });
    cells.zip(partition.requests())
}

/// A line for each set of them that is a choice of methods, paths, hosts and headers. Nothing, where all are meant.
pub(super) fn words(partition: &Partition, cells: Vec<Cell>) -> Vec<String> {
    let mut boxes: BTreeSet<[BTreeSet<usize>; 4]> =
        cells.into_iter().map(|cell| cell.map(|index| BTreeSet::from([index]))).collect();
    for dimension in 0..4 {
        boxes = merged(boxes, dimension);
    }
    let all = sizes(partition);
    let lines = boxes.into_iter().map(|one| line(partition, &one, all));
    lines.filter(|line| !line.is_empty()).collect()
}

/// What differs in one dimension only, as one.
fn merged(boxes: BTreeSet<[BTreeSet<usize>; 4]>, dimension: usize) -> BTreeSet<[BTreeSet<usize>; 4]> {
    let mut alike: BTreeMap<[BTreeSet<usize>; 4], BTreeSet<usize>> = BTreeMap::new();
    for mut one in boxes {
        let values = std::mem::take(&mut one[dimension]);
        alike.entry(one).or_default().extend(values);
    }
    let restored = alike.into_iter().map(|(mut one, values)| {
        one[dimension] = values;
        one
    });
    restored.collect()
}

fn line(partition: &Partition, one: &[BTreeSet<usize>; 4], all: [usize; 4]) -> String {
    let Partition { methods, paths, hosts, headers, .. } = partition;
    let named = |set: &BTreeSet<usize>, word: &dyn Fn(usize) -> String| {
        set.iter().map(|index| word(*index)).collect::<Vec<_>>().join(", ")
    };
    // The last method stands for all that no rule names.
    let method = |index: usize| match index + 1 == methods.len() && methods.len() > 1 {
        true => "other methods".to_owned(),
        false => methods[index].clone(),
    };
    // A path that has one below it beside it is meant to its end.
    let below = format!("/{OTHER}");
    let is_whole = |path: &str| paths.contains(&(path.trim_end_matches('/').to_owned() + &below));
    let path = |index: usize| match paths[index].strip_suffix(&below) {
        Some("") => "other paths".to_owned(),
        Some(above) => format!("{above}/…"),
        None if is_whole(&paths[index]) => paths[index].clone(),
        None => format!("{}…", paths[index]),
    };
    let host = |index: usize| match hosts[index].as_str() {
        OTHER => "other hosts".to_owned(),
        host => format!("host {host}"),
    };
    let header = |index: usize| match headers[index].as_slice() {
        [] => "other headers".to_owned(),
        some => some.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(" and "),
    };
    let words: [&dyn Fn(usize) -> String; 4] = [&method, &path, &host, &header];
    let parts = (0..4).filter(|dimension| one[*dimension].len() < all[*dimension]);
    parts.map(|dimension| named(&one[dimension], words[dimension])).collect::<Vec<_>>().join("; ")
}

fn sizes(partition: &Partition) -> [usize; 4] {
    let Partition { methods, paths, hosts, headers, .. } = partition;
    [methods.len(), paths.len(), hosts.len(), headers.len()]
}
