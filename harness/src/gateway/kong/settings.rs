//! What a Kong is told, beside its declarative config.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::{Listeners, Plugins};
use crate::gateway::{Engine, Setup};

/// Kong's settings by their names in kong.conf. A Kong gets them as environment variables.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// No database, loopback, the filters of the setup, two workers, and a log that can be waited for.
    ///
    /// # Errors
    /// A file or directory of the setup is not there.
    pub fn new(setup: &Setup, listeners: &Listeners, plugins: &Plugins) -> anyhow::Result<Self> {
        let Listeners { proxy, admin, status, .. } = listeners;
        let (config, filters) = (absolute(&setup.config)?, absolute(&setup.filters)?);
        let settings = [
            ("database", "off".to_owned()),
            ("declarative_config", config),
            // Both versions, as gRPC wants without TLS.
            ("proxy_listen", format!("{proxy} http2")),
            ("admin_listen", admin.to_string()),
            ("status_listen", status.to_string()),
            ("admin_gui_listen", "off".to_owned()),
            ("plugins", plugins.setting()),
            ("nginx_worker_processes", "2".to_owned()),
            // What filters log, and what `Served::reload` waits for.
            ("log_level", "info".to_owned()),
            ("proxy_access_log", "off".to_owned()),
            ("admin_access_log", "off".to_owned()),
            ("status_access_log", "off".to_owned()),
            ("anonymous_reports", "off".to_owned()),
        ];
        let mut settings = Self(settings.map(|(name, value)| (name.to_owned(), value)).into());
        match plugins.engine() {
            Engine::Wasm => {
                settings.set("wasm", "on");
                settings.set("wasm_filters_path", filters);
            }
            // Not `wasm = off`: a Kong that has none knows no such setting.
            Engine::Native => {}
        }
        if let Some(library) = plugins.library() {
            settings.set("lua_package_cpath", format!("{}/?.so;;", library.display()));
        }
        Ok(settings)
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_ascii_lowercase(), value.into());
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The directory of the filters that are loaded, if any are.
    pub fn filters(&self) -> Option<&Path> {
        self.0.get("wasm_filters_path").map(Path::new)
    }

    /// How many workers there are going to be.
    ///
    /// # Errors
    /// It was set to something else than a number: a driver that doesn't know it can't wait for each of them.
    pub fn workers(&self) -> anyhow::Result<usize> {
        let value = self.0.get("nginx_worker_processes").map_or("", String::as_str);
        value.parse().with_context(|| format!("nginx_worker_processes: {value:?} is not a number"))
    }

    /// Names and values of the environment.
    pub fn environment(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(name, value)| (format!("KONG_{}", name.to_ascii_uppercase()), value.as_str()))
    }
}

/// A Kong has a working directory of its own.
fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
    Ok(path.display().to_string())
}
