//! What pages have their readers type.

use crate::page::{Block, Page, pages};
use crate::terminal::{Step, Terminal, is_here, is_shown};

#[test]
fn every_command_does_what_its_page_says() {
    let pages = pages();
    let complaints: Vec<_> = std::thread::scope(|scope| {
        let readers: Vec<_> = pages.iter().map(|page| scope.spawn(|| follow(page))).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let commands = |block: &Block| Step::all(&block.language, &block.text).len();
    let all: usize =
        pages.iter().flat_map(|page| &page.blocks).filter(|block| block.is_run()).map(commands).sum();
    println!("{all} commands");
    assert!(all > 15, "{all} commands only");
}

/// What is wrong with the page, which is followed from its top to the first block that does otherwise.
fn follow(page: &Page) -> Vec<String> {
    let mut terminal = Terminal::new();
    for block in &page.blocks {
        if let Some(name) = block.note("file") {
            terminal.write(name, &block.text);
        }
    }
    for block in page.blocks.iter().filter(|block| block.is_run()) {
        if let Some(program) = block.note("needs").filter(|program| !is_here(program)) {
            println!("skipped: {}: no {program}", page.at(block.line));
            continue;
        }
        let wrong = complaints(block, &mut terminal);
        if !wrong.is_empty() {
            return wrong.iter().map(|why| format!("{}: {why}", page.at(block.line))).collect();
        }
    }
    Vec::new()
}

fn complaints(block: &Block, terminal: &mut Terminal) -> Vec<String> {
    let steps = Step::all(&block.language, &block.text);
    let owed: Vec<i32> = match block.note("exits with") {
        Some(codes) => codes.split(' ').map(|code| code.parse().unwrap()).collect(),
        None => vec![0; steps.len()],
    };
    if owed.len() != steps.len() {
        return vec![format!("{} exit codes for {} commands", owed.len(), steps.len())];
    }
    let mut wrong = Vec::new();
    for ((Step { command, shown }, done), owed) in steps.iter().zip(terminal.run(&steps)).zip(owed) {
        if done.code != owed {
            wrong.push(format!("`{command}` exits with {}, not {owed}:\n{}", done.code, done.said));
        } else if shown.as_ref().is_some_and(|shown| !is_shown(shown, &done.said)) {
            wrong.push(format!("`{command}` says:\n{}", done.said));
        }
    }
    wrong
}

impl Block {
    pub fn is_command(&self) -> bool {
        ["sh", "console"].contains(&self.language.as_str())
    }

    fn is_run(&self) -> bool {
        self.is_command() && self.note("not run").is_none()
    }
}

#[test]
fn every_block_says_what_it_is() {
    let mut wrong = Vec::new();
    for (page, block) in pages().iter().flat_map(|page| page.blocks.iter().map(move |block| (page, block))) {
        let looks_typed = |line: &str| {
            TYPED.iter().any(|program| line.trim_start_matches("$ ").starts_with(&format!("{program} ")))
        };
        let mut complain = |why: String| wrong.push(format!("{}: {why}", page.at(block.line)));
        match block.language.as_str() {
            "sh" | "console" | "yaml" | "json" => {}
            "" => complain("fence it, and say what it is: sh, console, yaml, json, text …".to_owned()),
            _ if block.text.lines().any(looks_typed) => complain("commands are sh or console".to_owned()),
            _ => {}
        }
        for note in block.notes() {
            let known =
                NOTES.iter().any(|name| note.strip_prefix(name).is_some_and(|rest| !rest.trim().is_empty()));
            if !known {
                complain(format!("what is {note:?}? Notes are {NOTES:?}, each with its reason or value"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a reader would type, whatever the block calls itself.
const TYPED: [&str; 8] = ["cargo", "curl", "deck", "docker", "harness", "helm", "kubectl", "make"];

const NOTES: [&str; 5] = ["not run:", "not checked:", "needs:", "exits with:", "file:"];

#[test]
fn a_page_that_says_what_is_not_so_is_found() {
    let follow = |text: &str| follow(&Page::parse(std::path::Path::new("a.md"), text));
    assert!(follow("<!-- file: a -->\n```yaml\nb\n```\n\n```console\n$ cat a\nb\n```\n").is_empty());
    assert!(follow("<!-- not run: never -->\n```sh\nfalse\n```\n").is_empty());
    assert!(follow("<!-- exits with: 1 0 -->\n```sh\nfalse\ntrue\n```\n").is_empty());
    for (page, owed) in [
        ("```sh\nfalse\n```\n", "exits with 1"),
        ("```console\n$ echo a\nb\n```\n", "says"),
        ("<!-- exits with: 1 -->\n```sh\ntrue\n```\n", "exits with 0"),
        ("<!-- exits with: 1 -->\n```sh\nfalse\ntrue\n```\n", "1 exit codes for 2"),
    ] {
        let found = follow(page);
        assert!(found.first().is_some_and(|first| first.contains(owed)), "{page}: {found:?}");
    }
}
