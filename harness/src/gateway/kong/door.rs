//! For tests of drivers: a config of one route, which answers who has the key, and asking it.

use std::fs;
use std::io::{Write, stderr};

use bytes::Bytes;
use http::{Request, StatusCode};
use tempfile::TempDir;

use super::Database;
use super::admin::ask;
use crate::gateway::{Options, Running, Setup, Unavailable};
use crate::stack::ANY_PORT;

/// A door, and a driver whose gateway is to keep it.
pub struct Case<D> {
    pub driver: D,
    pub door: Door,
}

impl<D> Case<D> {
    /// Nothing where its gateway cannot run.
    pub fn of(find: fn(&Options) -> Result<D, Unavailable>) -> Option<Self> {
        let door = Door::new();
        match find(&door.options) {
            Ok(driver) => Some(Self { driver, door }),
            Err(Unavailable(reason)) => {
                // Not `eprintln!`, which is seen of failed tests only.
                writeln!(stderr(), "skipped: {reason}").unwrap();
                None
            }
        }
    }
}

/// A config in a directory of its own.
pub struct Door {
    pub setup: Setup,
    /// With a plugin that does nothing: ours would want a filter or a library that may not have been built.
    pub options: Options,
    _directory: TempDir,
}

impl Door {
    /// Its message is `one`, its key `sesame`.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let filters = directory.path().join("filters");
        fs::create_dir(&filters).unwrap();
        let plugins = directory.path().join("plugins");
        let plugin = plugins.join("nothing");
        fs::create_dir_all(&plugin).unwrap();
        fs::write(plugin.join("handler.lua"), r#"return { PRIORITY = 1, VERSION = "0.1.0" }"#).unwrap();
        let schema =
            r#"return { name = "nothing", fields = { { config = { type = "record", fields = {} } } } }"#;
        fs::write(plugin.join("schema.lua"), schema).unwrap();
        let config = directory.path().join("kong.yml");
        let door = Self {
            setup: Setup { config, filters, proxy: ANY_PORT, status: None },
            options: Options { plugins: Some(plugins), database: Some(Database::Off), ..Options::default() },
            _directory: directory,
        };
        door.change("one", "sesame", "");
        door
    }

    /// Another message and key, and any text behind them.
    pub fn change(&self, message: &str, key: &str, more: &str) {
        let config = format!(
            r#"_format_version: "3.0"
consumers:
- username: ali
  keyauth_credentials: [{{key: {key}}}]
routes:
- name: door
  paths: [/door]
  plugins:
  - name: key-auth
  - name: request-termination
    config: {{status_code: 200, message: {message}}}
{more}"#
        );
        fs::write(&self.setup.config, config).unwrap();
    }

    /// Status and message.
    pub fn ask(&self, kong: &dyn Running, key: &str) -> (StatusCode, String) {
        let (code, answer) =
            ask(kong.proxy(), Request::get("/door").header("apikey", key), Bytes::new()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        (code, answer["message"].as_str().unwrap().to_owned())
    }

    /// Gives the key for the message five times anew, and each time every worker answers as it should.
    pub fn change_often(&self, kong: &dyn Running) {
        for round in 0..5 {
            let (message, key) = (format!("two {round}"), format!("open {round}"));
            self.change(&message, &key, "");
            kong.reload().unwrap();
            // Each worker, whichever answers.
            for _ in 0..10 {
                assert_eq!(self.ask(kong, "sesame").0, StatusCode::UNAUTHORIZED);
                assert_eq!(self.ask(kong, &key), (StatusCode::OK, message.clone()));
            }
        }
    }
}
