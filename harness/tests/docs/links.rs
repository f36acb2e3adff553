//! Where pages lead.

use std::path::{Component, Path, PathBuf};

use crate::page::{Link, Page, pages, root};

#[test]
fn every_link_leads_to_a_file_and_heading_that_are_there() {
    let pages = pages();
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for page in &pages {
        for link in &page.links {
            followed += 1;
            let complaint = complaint(&pages, page, link);
            wrong.extend(complaint.map(|why| format!("{}: {}: {why}", page.at(link.line), link.to)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{followed} links");
}

/// Other people's pages are taken at their word: tests stay on this machine.
fn complaint(pages: &[Page], from: &Page, link: &Link) -> Option<String> {
    if link.to.contains("://") || link.to.starts_with("mailto:") {
        return (!link.to.starts_with("https://")).then(|| "not https".to_owned());
    }
    let (file, anchor) = link.to.split_once('#').map_or((link.to.as_str(), None), |(f, a)| (f, Some(a)));
    let path = match file {
        "" => from.path.clone(),
        file => plain(&from.path.parent().unwrap_or(Path::new("")).join(file)),
    };
    if !root().join(&path).exists() {
        return Some(format!("there is no {}", path.display()));
    }
    let anchor = anchor?;
    let Some(page) = pages.iter().find(|page| page.path == path) else {
        return Some("headings are looked up in pages alone".to_owned());
    };
    (!page.anchors.contains(anchor)).then(|| format!("no such heading; there are: {:?}", page.anchors))
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_page_of_docs_is_in_their_index() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == Path::new("docs/README.md")).unwrap();
    for page in pages.iter().filter(|page| page.path.parent() == Some(Path::new("docs"))) {
        let name = page.path.file_name().unwrap().to_string_lossy();
        let is_named = index.links.iter().any(|link| link.to.split('#').next() == Some(&*name));
        assert!(is_named || page.path == index.path, "docs/README.md does not name {name}");
    }
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let page = |path, text| Page::parse(Path::new(path), text);
    let pages = [page("README.md", "# top"), page("docs/README.md", "# docs\n\n## two words")];
    let says =
        |to: &str| complaint(&pages, &pages[1], &Link { line: 1, to: to.to_owned() }).unwrap_or_default();
    for good in ["#two-words", "../README.md#top", "../README.md", "../kong/kong.yml", "https://kong.example"]
    {
        assert_eq!(says(good), "", "{good}");
    }
    for bad in ["#three", "README.md", "../readme.md", "../README.md#docs", "http://kong.example"] {
        let found = says(bad);
        assert_eq!(found.is_empty(), bad == "README.md", "{bad}: {found}");
    }
}
