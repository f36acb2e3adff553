//! A tree as text.

use super::tree::{Branch, Line, Slot, Style, Tree};

pub(super) fn text(tree: Tree) -> String {
    let Tree { marked, header, root, footer } = tree;
    let mut lines = Vec::new();
    comments(&header, &mut lines);
    match marked {
        true => lines.push("---".to_owned()),
        false if !header.is_empty() => lines.push(String::new()),
        false => {}
    }
    lines.extend(block(root, WIDTH));
    comments(&footer, &mut lines);
    // The text begins with no empty line.
    let start = lines.iter().position(|line| !line.is_empty()).unwrap_or_default();
    let mut text = lines[start..].join("\n");
    text.push('\n');
    text
}

/// The lines of a value, as deep as their first one.
fn block(branch: Branch, width: usize) -> Vec<String> {
    if let Some(line) = flow(&branch, width) {
        return vec![line];
    }
    match branch {
        Branch::Scalar(written) => vec![written],
        Branch::Text(value) => literal(&value),
        Branch::List(slots, style) => {
            let mut lines = Vec::new();
            for (number, mut slot) in slots.into_iter().enumerate() {
                let beside = slot.beside.take();
                // Before a dash, since behind it there is no place for a comment.
                let hoisted = hoist(&mut slot.value);
                start(&slot, number, &mut lines);
                comments(&hoisted, &mut lines);
                let mut inner = block(slot.value, width.saturating_sub(2));
                if let (Some(beside), Some(first)) = (beside, inner.first_mut()) {
                    *first = format!("{first} {beside}");
                }
                lines.extend(under("- ", "  ", inner));
            }
            comments(&style.after, &mut lines);
            lines
        }
        Branch::Map(slots, Style { after, .. }) => {
            let mut lines = Vec::new();
            for (number, slot) in slots.into_iter().enumerate() {
                start(&slot, number, &mut lines);
                entry(slot, width, &mut lines);
            }
            comments(&after, &mut lines);
            lines
        }
    }
}

fn entry(slot: Slot, width: usize, lines: &mut Vec<String>) {
    let key = slot.key.unwrap_or_default();
    let beside = slot.beside.map(|comment| format!(" {comment}")).unwrap_or_default();
    let room = width.saturating_sub(key.chars().count() + 2);
    if let Some(line) = flow(&slot.value, room) {
        let space = if line.is_empty() { "" } else { " " };
        return lines.push(format!("{key}:{space}{line}{beside}"));
    }
    match slot.value {
        Branch::Text(value) => {
            let mut inner = literal(&value);
            inner[0] += &beside;
            lines.extend(under(&format!("{key}: "), "  ", inner));
        }
        list @ Branch::List(..) => {
            lines.push(format!("{key}:{beside}"));
            lines.extend(block(list, width));
        }
        map => {
            lines.push(format!("{key}:{beside}"));
            lines.extend(under("  ", "  ", block(map, width.saturating_sub(2))));
        }
    }
}

/// What stands before an item or a field. The first has no empty line before it.
fn start(slot: &Slot, number: usize, lines: &mut Vec<String>) {
    let from = lines.len();
    comments(&slot.before, lines);
    if slot.spaced {
        lines.push(String::new());
    }
    if number == 0 && lines.get(from).is_some_and(String::is_empty) {
        lines.remove(from);
    }
}

/// The comments before the first field of an item.
fn hoist(value: &mut Branch) -> Vec<Line> {
    match value {
        Branch::Map(slots, _) => match slots.first_mut() {
            Some(first) => {
                first.spaced = false;
                std::mem::take(&mut first.before)
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn comments(comments: &[Line], lines: &mut Vec<String>) {
    for comment in comments {
        if comment.spaced {
            lines.push(String::new());
        }
        lines.push(comment.text.clone());
    }
}

/// In one line, where it was written so, holds no comment, and has the room.
fn flow(branch: &Branch, room: usize) -> Option<String> {
    let line = match branch {
        Branch::Scalar(written) => return Some(written.clone()),
        Branch::Text(_) => return None,
        Branch::List(slots, style) if is_plain(slots, style) => {
            let items = slots.iter().map(|slot| flow(&slot.value, room));
            format!("[{}]", items.collect::<Option<Vec<_>>>()?.join(", "))
        }
        Branch::Map(slots, style) if is_plain(slots, style) => {
            let fields = slots.iter().map(|slot| {
                let value = flow(&slot.value, room)?;
                let space = if value.is_empty() { "" } else { " " };
                Some(format!("{}:{space}{value}", slot.key.as_deref().unwrap_or_default()))
            });
            format!("{{{}}}", fields.collect::<Option<Vec<_>>>()?.join(", "))
        }
        _ => return None,
    };
    (line.chars().count() <= room).then_some(line)
}

fn is_plain(slots: &[Slot], style: &Style) -> bool {
    let silent = slots.iter().all(|slot| slot.before.is_empty() && slot.beside.is_none());
    (style.flow || slots.is_empty()) && style.after.is_empty() && silent
}

/// Text of several lines: as it reads, or where that is not possible in quotes.
fn literal(value: &str) -> Vec<String> {
    let body = value.trim_end_matches('\n');
    let ends = value.len() - body.len();
    let readable = body.chars().all(|c| c == '\n' || !c.is_control())
        && !body.starts_with([' ', '\n'])
        && body.contains('\n')
        && body.lines().all(|line| line.trim_end() == line)
        && ends <= 1;
    if !readable {
        return vec![serde_json::Value::from(value).to_string()];
    }
    let head = if ends == 1 { "|" } else { "|-" };
    [head.to_owned()].into_iter().chain(body.lines().map(str::to_owned)).collect()
}

/// Lines behind a start, and those after the first one as deep as told.
fn under(start: &str, deeper: &str, lines: Vec<String>) -> Vec<String> {
    let each = lines.into_iter().enumerate().map(|(number, line)| match number {
        0 => format!("{start}{line}"),
        _ if line.is_empty() => line,
        _ => format!("{deeper}{line}"),
    });
    each.collect()
}

/// As wide as a line may be before a list or a mapping in brackets is spread over several.
const WIDTH: usize = 120;
