//! What a container sees of this host: directories, each at its own path.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bollard::models::{Mount, MountType};

use kong_config::document::{Node, Report, Value, parse};

/// Directories and not files by themselves: a mounted file stays the one that it was, while a Secret is replaced by
/// links in its directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    readable: BTreeSet<PathBuf>,
    writable: BTreeSet<PathBuf>,
}

impl Seen {
    /// A config, the directories of the files that it names, and its own directory, for later configs may name more.
    ///
    /// # Errors
    /// It cannot be read, or names files whose directory cannot be mounted.
    pub fn by_config(config: &Path) -> anyhow::Result<Self> {
        let within = || format!("cannot read {}", config.display());
        let config = config.canonicalize().with_context(within)?;
        let text = fs::read_to_string(&config).with_context(within)?;
        let own = config.parent().filter(|own| !hides_the_image(own)).unwrap_or(&config);
        let Self { mut readable, mut writable } = Self::named_in(&text);
        for named in [&mut readable, &mut writable] {
            named.retain(|directory| {
                let is_here = directory.is_dir();
                if !is_here {
                    log::warn!(
                        "{} is no directory, and the container will see none later",
                        directory.display()
                    );
                }
                is_here
            });
        }
        for directory in readable.iter().chain(&writable) {
            ensure!(
                !hides_the_image(directory),
                "the config names files in {0}, but mounted whole {0} would hide the image's own: give them a directory",
                directory.display()
            );
        }
        readable.insert(own.to_owned());
        Ok(Self { readable, writable })
    }

    pub fn read(&mut self, path: &Path) {
        self.readable.insert(path.to_owned());
    }

    pub fn write(&mut self, directory: &Path) {
        self.writable.insert(directory.to_owned());
    }

    /// # Errors
    /// A config names files in directories that are here, but that the container does not see.
    pub fn suffices_for(&self, config: &str) -> anyhow::Result<()> {
        let Self { readable, writable } = Self::named_in(config);
        for directory in readable.union(&writable).filter(|directory| directory.is_dir()) {
            ensure!(
                self.readable.union(&self.writable).any(|seen| directory.starts_with(seen)),
                "{} is not mounted in the container, for the config did not name it when it started: start it anew",
                directory.display()
            );
        }
        Ok(())
    }

    pub fn mounts(&self) -> Vec<Mount> {
        let mount = |path: &PathBuf, read_only| {
            let path = Some(path.display().to_string());
            let typ = Some(MountType::BIND);
            Mount { typ, source: path.clone(), target: path, read_only: Some(read_only), ..Mount::default() }
        };
        // What is to be written stays so, whoever wants to read it too.
        let readable = self.readable.difference(&self.writable).map(|path| mount(path, true));
        readable.chain(self.writable.iter().map(|path| mount(path, false))).collect()
    }

    /// Directories of absolute paths in fields that end in `_file`, and of what `file-log` writes. What is wrong with the
    /// config is for Kong to say.
    fn named_in(config: &str) -> Self {
        let mut seen = Self::default();
        if let Some(document) = parse(config, &Report::new(None)) {
            seen.collect(&document);
        }
        seen
    }

    fn collect(&mut self, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Map(entries) => {
                let logs =
                    entries.iter().any(|(key, node)| key.name == "name" && text(node) == Some("file-log"));
                for (key, node) in entries {
                    if key.name.ends_with("_file") {
                        self.readable.extend(directory(node));
                    } else if logs && key.name == "config" {
                        self.writable.extend(field(node, "path").and_then(directory));
                    } else {
                        self.collect(node);
                    }
                }
            }
            _ => {}
        }
    }
}

fn directory(node: &Node) -> Option<PathBuf> {
    let path = Path::new(text(node)?);
    path.parent().filter(|_| path.is_absolute()).map(Path::to_owned)
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn field<'d>(node: &'d Node, name: &str) -> Option<&'d Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find_map(|(key, node)| (key.name == name).then_some(node))
}

/// Whether it is `/` or stands in it: `/etc`, `/tmp`.
fn hides_the_image(directory: &Path) -> bool {
    directory.components().count() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_of_files_are_mounted_and_nothing_else() {
        let config = "services:\n- url: https://a\n  routes: [{paths: [/etc/routes/x]}]\n  plugins:\n  - config:\n      \
                      client_certificates:\n      - {cert_file: /s/a/tls.crt, key_file: /s/b/tls.key, name: /s/n/x}\n      \
                      ca_file: /s/a/ca.crt\n      log_file: stderr\n  - {name: file-log, config: {path: /s/c/log}}\n";
        let readable = ["/s/a", "/s/b"].map(PathBuf::from).into();
        let writable = ["/s/c"].map(PathBuf::from).into();
        assert_eq!(Seen::named_in(config), Seen { readable, writable });
    }

    #[test]
    fn a_directory_that_would_hide_one_of_the_image_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("kong.yml");
        for file in ["/ca.crt", "/etc/ca.crt"] {
            fs::write(&config, format!("ca_file: {file}\n")).unwrap();
            let refusal = Seen::by_config(&config).map(drop).unwrap_err().to_string();
            assert!(refusal.ends_with("give them a directory"), "{refusal}");
        }
    }

    #[test]
    fn what_a_later_config_names_is_seen_beside_it_and_missed_elsewhere() {
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = here.path().join("kong.yml");
        fs::write(&config, "services: []\n").unwrap();
        let seen = Seen::by_config(&config).unwrap();
        fs::create_dir(here.path().join("new")).unwrap();
        seen.suffices_for(&format!("ca_file: {}/new/ca.crt\n", here.path().display())).unwrap();
        let refusal = seen.suffices_for(&format!("ca_file: {}/ca.crt\n", elsewhere.path().display()));
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("{} is not mounted", elsewhere.path().display())), "{refusal}");
    }
}
