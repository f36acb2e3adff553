//! Where the things that a shipped config names are on this machine.

use std::path::PathBuf;

/// Puts a config that was written for its usual places into those of one stack.
#[derive(Clone, Debug)]
pub struct Places {
    /// Port of the upstream, instead of `dogcatcher-api:5443`. Its name is `localhost` here.
    pub upstream: u16,
    /// Instead of `/etc/secrets`.
    pub secrets: PathBuf,
}

impl Places {
    /// The config with this machine's places in it; all else stays to the letter.
    pub fn put_into(&self, config: &str) -> String {
        config
            .replace("dogcatcher-api:5443", &format!("localhost:{}", self.upstream))
            .replace("/etc/secrets", &self.secrets.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_config_keeps_nothing_of_its_usual_places() {
        let places = Places { upstream: 4711, secrets: "/tmp/x".into() };
        let config = places.put_into(include_str!("../../../kong/kong.yml"));
        assert!(config.contains("url: https://localhost:4711\n"));
        assert!(config.contains("ca_file: /tmp/x/kong-upstream-mtls/ca.crt\n"));
        assert!(!config.contains("dogcatcher-api:5443") && !config.contains("/etc/secrets"));
    }
}
