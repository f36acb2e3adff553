//! What is said around the code, held against the tree: workflows run make's own verbs, actions are pinned, the map of the
//! code shows what is there, and one version stands everywhere.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Name and text of each workflow.
fn workflows() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(".github/workflows")).unwrap();
    let read = entries.map(|entry| entry.unwrap().path()).map(|path| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
    });
    read.collect()
}

/// The values of a key in a workflow, wherever it stands.
fn values<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| {
        line.trim_start().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ").map(str::trim)
    })
}

/// What stands in a Makefile cannot differ between a desk and CI. What else is run needs a reason.
#[test]
fn workflows_run_what_make_runs() {
    // The toolchain, which make does not install; the one job that waits for others; publishing, which has no checkout.
    let reasoned = ["rustup toolchain install ", "test \"$RESULTS\" = ", "gh release create "];
    let makefile = read("Makefile");
    let targets: BTreeSet<_> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut runs = 0;
    for (name, text) in workflows() {
        // Each entry of the matrix is one call of make.
        let matrix = values(&text, "verbs").next().unwrap_or_default().trim_matches(['[', ']']);
        for run in values(&text, "run") {
            if reasoned.iter().any(|known| run.starts_with(known)) {
                continue;
            }
            let Some(verbs) = run.strip_prefix("make ") else { panic!("{name} runs {run:?}") };
            let verbs = verbs.replace("${{ matrix.verbs }}", &matrix.replace(',', " "));
            for verb in verbs.split_whitespace().filter(|word| !word.contains(['=', '{', '}'])) {
                if verb.starts_with("matrix.") {
                    continue; // of an expression in a variable's value
                }
                assert!(targets.contains(verb), "{name} makes {verb:?}, which the Makefile does not know");
                runs += 1;
            }
        }
    }
    assert!(runs > 5, "only {runs} verbs found");
}

/// A tag can be moved, a commit cannot; the version behind it is for whoever reads or renews it.
#[test]
fn actions_are_pinned_to_a_commit_with_its_version() {
    let mut pinned = 0;
    for (name, text) in workflows() {
        for uses in values(&text, "uses").filter(|uses| !uses.starts_with("./")) {
            let commit = uses.split_once('@').map(|(_, rest)| rest).unwrap_or_default();
            let (commit, version) = commit.split_once(" # v").unwrap_or_default();
            let is_pinned = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_pinned && version.starts_with(|c: char| c.is_ascii_digit()), "{name}: {uses}");
            pinned += 1;
        }
    }
    assert!(pinned > 3, "only {pinned} actions found");
}

/// Of CONTRIBUTING.md all that is written as code and looks like a path; `NAME` and `…` stand for something else.
#[test]
fn the_map_of_the_code_shows_what_is_there() {
    let page = read("CONTRIBUTING.md");
    let words = page.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    let paths = words.filter(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        word.contains('/') && word.chars().all(plain) && !word.contains("NAME") && !word.starts_with('/')
    });
    let mut known = 0;
    for path in paths {
        assert!(root().join(path).exists(), "CONTRIBUTING.md speaks of {path}, which is not there");
        known += 1;
    }
    assert!(known > 20, "only {known} paths found");
}

/// Each directory of sources has its line there.
#[test]
fn the_map_of_the_code_leaves_nothing_out() {
    let page = read("CONTRIBUTING.md");
    for parent in [".", "harness/src", "filter/src", "kong"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours =
                entry.path().is_dir() && !name.starts_with('.') && !["target", "certs"].contains(&&*name);
            assert!(
                !is_ours || page.contains(&format!("{name}/`")),
                "CONTRIBUTING.md says nothing of {parent}/{name}"
            );
        }
    }
}

#[test]
fn one_version_stands_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let lua = read("kong/plugins/mtls-policy/native.lua");
    assert!(lua.contains(&format!("local VERSION = \"{version}\"")), "native.lua");
    for plugin in ["upstream-mtls", "mtls-policy"] {
        let handler = read(&format!("kong/plugins/{plugin}/handler.lua"));
        assert!(handler.contains(&format!("VERSION = \"{version}\"")), "{plugin}/handler.lua");
        let rockspec = read(&format!("kong/kong-plugin-{plugin}-{version}-1.rockspec"));
        assert!(rockspec.contains(&format!("version = \"{version}-1\"")), "{plugin}'s rockspec");
    }
    let changelog = read("CHANGELOG.md");
    assert!(changelog.contains("## [Unreleased]"), "CHANGELOG.md");
}

/// Lua finds a module of a rock only where the rockspec lists it.
#[test]
fn rockspecs_list_every_module() {
    for plugin in ["upstream-mtls", "mtls-policy"] {
        let rockspec = read(&format!("kong/kong-plugin-{plugin}-{}-1.rockspec", env!("CARGO_PKG_VERSION")));
        let directory = root().join("kong/plugins").join(plugin);
        let mut modules = Vec::new();
        collect_modules(&directory, &directory, &mut modules);
        assert!(modules.contains(&"handler".to_owned()), "no modules in {}", directory.display());
        for module in modules {
            let name = module.replace('/', ".");
            let line = format!("[\"kong.plugins.{plugin}.{name}\"] = \"plugins/{plugin}/{module}.lua\",");
            assert!(rockspec.contains(&line), "{plugin}'s rockspec lacks {line}");
        }
    }
}

/// Adds the Lua modules below a directory, as paths relative to `base` without `.lua`. Specs are not modules.
fn collect_modules(base: &Path, directory: &Path, modules: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("spec") {
                collect_modules(base, &path, modules);
            }
        } else {
            let relative = path.strip_prefix(base).unwrap().to_str().unwrap();
            modules.push(relative.strip_suffix(".lua").unwrap().to_owned());
        }
    }
}
