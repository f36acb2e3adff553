//! Has a running Envoy take over routes and clusters, and hears what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::admin::Admin;
use super::clusters::Sds;
use super::files::{self, Files, discovery};
use super::listener::PROXY;
use super::plan::{Cluster, Plan};
use super::routes::{NAME, route_configuration};
use crate::gateway::wait::until;
use kong_config::declarative::Config;

/// What Envoy was given last.
#[derive(Default)]
pub struct Published {
    version: u64,
    routes: Value,
    clusters: BTreeMap<String, Cluster>,
}

impl Published {
    /// Writes what an Envoy is to start with.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(
        &mut self,
        config: &Config,
        plan: &Plan,
        filters: &Path,
        files: &Files,
    ) -> anyhow::Result<()> {
        let routes = route_configuration(config, plan, filters);
        self.write_clusters(&plan.clusters, plan, files)?;
        self.write_routes(&routes, files)?;
        (self.routes, self.clusters) = (routes, plan.clusters.clone());
        Ok(())
    }

    /// Hands over what has changed. New clusters are there before a route leads to them; those to which no route
    /// leads any more go after that, and their connections with them.
    ///
    /// # Errors
    /// Envoy refuses it; what was in force stays so.
    pub fn replace(
        &mut self,
        config: &Config,
        plan: &Plan,
        filters: &Path,
        files: &Files,
        admin: &Admin,
    ) -> anyhow::Result<()> {
        let routes = route_configuration(config, plan, filters);
        if routes == self.routes && plan.clusters == self.clusters {
            return Ok(());
        }
        let mut both = self.clusters.clone();
        both.extend(plan.clusters.clone());
        if both != self.clusters {
            self.hand_over(Kind::Clusters, admin, |published| published.write_clusters(&both, plan, files))?;
            self.clusters = both;
        }
        if routes != self.routes {
            self.hand_over(Kind::Routes, admin, |published| published.write_routes(&routes, files))?;
            self.routes = routes;
        }
        if self.clusters != plan.clusters {
            self.hand_over(Kind::Clusters, admin, |published| {
                published.write_clusters(&plan.clusters, plan, files)
            })?;
            self.clusters = plan.clusters.clone();
        }
        files.keep_secrets(&plan.secrets())?;
        Ok(())
    }

    fn write_clusters(
        &mut self,
        clusters: &BTreeMap<String, Cluster>,
        plan: &Plan,
        files: &Files,
    ) -> anyhow::Result<()> {
        let sds = Sds::Files(files.secrets());
        for secret in plan.secrets().values() {
            let path = files.secrets().join(secret.file_name());
            // Its name has a digest of it in it: what is there is the same.
            if !path.exists() {
                self.version += 1;
                files::write(&path, &discovery(&self.version.to_string(), vec![secret.resource()]))?;
            }
        }
        let resources = clusters.iter().map(|(name, cluster)| cluster.resource(name, &sds)).collect();
        self.version += 1;
        files::write(&files.clusters(), &discovery(&self.version.to_string(), resources))?;
        Ok(())
    }

    fn write_routes(&mut self, routes: &Value, files: &Files) -> anyhow::Result<()> {
        self.version += 1;
        files::write(&files.routes(), &discovery(&self.version.to_string(), vec![routes.clone()]))?;
        Ok(())
    }

    /// Returns when Envoy has taken over what is written.
    fn hand_over(
        &mut self,
        kind: Kind,
        admin: &Admin,
        write: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (taken, refused) = (kind.stat("version_text"), kind.stat("update_rejected"));
        let before = admin.stats(STATS)?;
        write(self)?;
        let version = self.version.to_string();
        let outcome = until(TAKING, || {
            let now = admin.stats(STATS).ok()?;
            if now.get(&refused) != before.get(&refused) {
                return Some(false);
            }
            let warm = now.get(WARMING).is_none_or(|clusters| clusters == "0");
            (warm && now.get(&taken) == Some(&version)).then_some(true)
        });
        match outcome {
            Some(true) => Ok(()),
            Some(false) => bail!("Envoy refuses the {kind}"),
            None => bail!("Envoy does not take over the {kind}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Clusters,
    Routes,
}

impl Kind {
    fn stat(self, name: &str) -> String {
        match self {
            Self::Clusters => format!("cluster_manager.cds.{name}"),
            Self::Routes => format!("http.{PROXY}.rds.{NAME}.{name}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clusters => "clusters",
            Self::Routes => "routes",
        })
    }
}

/// What is asked for of Envoy's stats, as a regex.
const STATS: &str = "version_text|update_rejected|warming_clusters";

const WARMING: &str = "cluster_manager.warming_clusters";

/// Longer than Envoy waits for a secret that it cannot use, and goes on without it.
const TAKING: Duration = Duration::from_secs(30);
