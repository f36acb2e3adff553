//! Pages of Markdown, taken apart.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page of this tree.
pub struct Page {
    /// From the top of the tree.
    pub path: PathBuf,
    pub blocks: Vec<Block>,
    pub links: Vec<Link>,
    /// What `#…` may name, as GitHub makes it of headings.
    pub anchors: BTreeSet<String>,
}

/// A block of code.
pub struct Block {
    pub line: usize,
    /// Empty: it has none, or is indented.
    pub language: String,
    pub text: String,
    /// The comments before it.
    notes: Vec<String>,
}

pub struct Link {
    pub line: usize,
    pub to: String,
}

impl Page {
    pub fn parse(path: &Path, text: &str) -> Self {
        let mut page =
            Self { path: path.to_owned(), blocks: Vec::new(), links: Vec::new(), anchors: BTreeSet::new() };
        let line_of = |at: usize| text[..at].matches('\n').count() + 1;
        let (mut notes, mut comment) = (Vec::new(), String::new());
        let (mut heading, mut block) = (None::<String>, None::<Block>);
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = line_of(range.start);
            match event {
                Event::Start(Tag::HtmlBlock) => {}
                Event::Html(html) => comment.push_str(&html),
                Event::End(TagEnd::HtmlBlock) => {
                    let note = comment.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
                    notes.extend(note.map(|note| note.trim().to_owned()));
                    comment.clear();
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    let notes = std::mem::take(&mut notes);
                    block = Some(Block { line, language, text: String::new(), notes });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchor(&heading.take().unwrap_or_default()),
                Event::Text(part) | Event::Code(part) => match (&mut heading, &mut block) {
                    (Some(heading), _) => heading.push_str(&part),
                    (_, Some(block)) => block.text.push_str(&part),
                    _ => {}
                },
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link { line, to: dest_url.to_string() });
                }
                // A comment is about what follows it at once.
                Event::Start(_) => notes.clear(),
                _ => {}
            }
        }
        page
    }

    fn anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter(|each| each.is_alphanumeric() || matches!(each, ' ' | '-' | '_'));
        let slug = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(numbered).find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }

    /// A line of it, as editors and terminals follow it.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

impl Block {
    /// What the note of a name says.
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.iter().find_map(|note| note.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }
}

/// The top of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every page of the tree, but for what was built or brought here.
pub fn pages() -> Vec<Page> {
    let (root, mut found) = (root(), Vec::new());
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
                directories.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    let read =
        |path: &PathBuf| Page::parse(path.strip_prefix(&root).unwrap(), &fs::read_to_string(path).unwrap());
    found.iter().map(read).collect()
}

#[test]
fn a_page_is_taken_apart() {
    let page = Page::parse(
        Path::new("a.md"),
        "# A `b` c: d!\n\n## A b c d\n\n[x](y.md#z) <!-- aside -->\n\n<!-- needs: docker -->\n<!-- exits with: 1 -->\n\
         ```sh\nmake a\n```\n\n<!-- not run: lost -->\ntext\n\n    indented\n",
    );
    assert_eq!(page.anchors, ["a-b-c-d".to_owned(), "a-b-c-d-1".to_owned()].into());
    assert_eq!((page.links[0].to.as_str(), page.links[0].line), ("y.md#z", 5));
    let [run, indented] = &page.blocks[..] else { panic!("{} blocks", page.blocks.len()) };
    assert_eq!((run.language.as_str(), run.text.as_str(), run.line), ("sh", "make a\n", 9));
    assert_eq!((run.note("needs"), run.note("exits with")), (Some("docker"), Some("1")));
    assert_eq!((indented.language.as_str(), indented.note("not run")), ("", None));
}
