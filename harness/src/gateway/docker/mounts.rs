//! What a container sees of this host: directories, each at its own path.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bollard::models::{Mount, MountType};

use crate::document::{Node, Report, Value, parse};

/// What it may read. Directories and not files by themselves: a mounted file stays the one that it was, while a Secret
/// is replaced by links in its directory.
pub struct Readable(BTreeSet<PathBuf>);

impl Readable {
    /// A config, the directories of the files that it names, and its own directory, for later configs may name more.
    ///
    /// # Errors
    /// It cannot be read, or names files whose directory cannot be mounted.
    pub fn of_config(config: &Path) -> anyhow::Result<Self> {
        let within = || format!("cannot read {}", config.display());
        let config = config.canonicalize().with_context(within)?;
        let text = fs::read_to_string(&config).with_context(within)?;
        let own = config.parent().filter(|own| !hides_the_image(own)).unwrap_or(&config);
        let mut readable = Self([own.to_owned()].into());
        for directory in directories(&text) {
            if !directory.is_dir() {
                log::warn!("{} is no directory, and the container will see none later", directory.display());
                continue;
            }
            ensure!(
                !hides_the_image(&directory),
                "the config names files in {0}, but mounted whole {0} would hide the image's own: give them a directory",
                directory.display()
            );
            readable.add(&directory);
        }
        Ok(readable)
    }

    pub fn add(&mut self, directory: &Path) {
        self.0.insert(directory.to_owned());
    }

    /// # Errors
    /// A config names files that are here, but that the container does not see.
    pub fn suffices_for(&self, config: &str) -> anyhow::Result<()> {
        for directory in directories(config).iter().filter(|directory| directory.is_dir()) {
            ensure!(
                self.0.iter().any(|seen| directory.starts_with(seen)),
                "{} is not mounted in the container, for the config did not name it when it started: start it anew",
                directory.display()
            );
        }
        Ok(())
    }

    pub fn mounts(&self) -> impl Iterator<Item = Mount> {
        self.0.iter().map(|path| Mount { read_only: Some(true), ..writable(path) })
    }
}

pub fn writable(path: &Path) -> Mount {
    let path = Some(path.display().to_string());
    Mount { typ: Some(MountType::BIND), source: path.clone(), target: path, ..Mount::default() }
}

/// Whether it is `/` or stands in it: `/etc`, `/tmp`.
fn hides_the_image(directory: &Path) -> bool {
    directory.components().count() <= 2
}

/// Of absolute paths in fields that end in `_file`. What is wrong with the config is for Kong to say.
fn directories(config: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    if let Some(document) = parse(config, &Report::new(None)) {
        collect(&document, &mut found);
    }
    found
}

fn collect(node: &Node, found: &mut BTreeSet<PathBuf>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(entries) => {
            for (key, node) in entries {
                match &node.value {
                    Value::String(path) if key.name.ends_with("_file") && path.starts_with('/') => {
                        found.extend(Path::new(path).parent().map(Path::to_owned));
                    }
                    _ => collect(node, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_of_files_are_mounted_and_nothing_else() {
        let config = "services:\n- url: https://a\n  routes: [{paths: [/etc/routes/x]}]\n  plugins:\n  - config:\n      \
                      client_certificates:\n      - {cert_file: /s/a/tls.crt, key_file: /s/b/tls.key, name: /s/n/x}\n      \
                      ca_file: /s/a/ca.crt\n      log_file: stderr\n";
        let expected = ["/s/a", "/s/b"].map(PathBuf::from);
        assert_eq!(directories(config), expected.into());
    }

    #[test]
    fn a_directory_that_would_hide_one_of_the_image_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("kong.yml");
        for file in ["/ca.crt", "/etc/ca.crt"] {
            fs::write(&config, format!("ca_file: {file}\n")).unwrap();
            let refusal = Readable::of_config(&config).map(drop).unwrap_err().to_string();
            assert!(refusal.ends_with("give them a directory"), "{refusal}");
        }
    }

    #[test]
    fn what_a_later_config_names_is_seen_beside_it_and_missed_elsewhere() {
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config = here.path().join("kong.yml");
        fs::write(&config, "services: []\n").unwrap();
        let readable = Readable::of_config(&config).unwrap();
        fs::create_dir(here.path().join("new")).unwrap();
        readable.suffices_for(&format!("ca_file: {}/new/ca.crt\n", here.path().display())).unwrap();
        let refusal = readable.suffices_for(&format!("ca_file: {}/ca.crt\n", elsewhere.path().display()));
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("{} is not mounted", elsewhere.path().display())), "{refusal}");
    }
}
