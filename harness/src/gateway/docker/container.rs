//! A Kong in a container of its own.

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerCreateBody, ExecConfig, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::{Stream, TryStreamExt};

use super::engine::ContainerEngine;
use super::mounts::Seen;
use crate::gateway::Setup;
use crate::gateway::kong::{Directory, Host, Plugins, Settings, essence};
use crate::gateway::wait::answer;

/// Dropping it ends it and removes it.
pub struct Container {
    docker: Docker,
    id: String,
    directory: Directory,
    seen: Seen,
}

impl Container {
    /// Starts one; it may end at once.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn start(
        engine: &ContainerEngine,
        image: &str,
        setup: &Setup,
        settings: &Settings,
        plugins: &Plugins,
    ) -> anyhow::Result<Self> {
        let directory = Directory::new(plugins)?;
        let user = engine.user().to_owned();
        let settings = directory.put_into(settings, user == "0:0");
        let mut seen = Seen::by_config(&setup.config)?;
        if let Some(filters) = settings.filters() {
            seen.read(filters);
        }
        seen.read(plugins.directory());
        if let Some(library) = plugins.library() {
            seen.read(library);
        }
        seen.write(directory.path());

        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            user: Some(user),
            env: Some(settings.environment().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(HashMap::from([(LABEL.to_owned(), std::process::id().to_string())])),
            // The image's own would have nginx wait for connections that are idle.
            stop_signal: Some("SIGTERM".to_owned()),
            host_config: Some(HostConfig {
                network_mode: Some("host".to_owned()),
                // Where an engine maps users, root in the container could not read what root here wrote.
                userns_mode: Some("host".to_owned()),
                // Under SELinux no file here could be read, or all would have to be labelled anew.
                security_opt: Some(vec!["label=disable".to_owned()]),
                mounts: Some(seen.mounts()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let docker = engine.docker().clone();
        let name = directory.path().file_name().unwrap_or_default().to_string_lossy();
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = answer(async { Ok(docker.create_container(Some(options), body).await?) })
            .with_context(|| format!("cannot make a container of {image}"))?;
        let container = Self { docker, id: created.id, directory, seen };
        answer(async { Ok(container.docker.start_container(&container.id, None).await?) })
            .with_context(|| format!("cannot start a container of {image}"))?;
        Ok(container)
    }

    #[cfg(test)]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn runs(&self) -> anyhow::Result<bool> {
        let seen = answer(async { Ok(self.docker.inspect_container(&self.id, None).await?) })?;
        Ok(seen.state.and_then(|state| state.running).unwrap_or(false))
    }

    /// What it wrote to stdout and stderr: of a Kong that does not start, the reason.
    fn output(&self) -> anyhow::Result<String> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
        let parts =
            answer(async { Ok(self.docker.logs(&self.id, Some(options)).try_collect::<Vec<_>>().await?) })?;
        Ok(parts.iter().map(ToString::to_string).collect())
    }

    /// Exit code and output of a command within, with the environment that Kong was started with.
    async fn execute(&self, command: &[&str]) -> anyhow::Result<(Option<i64>, String)> {
        let command = ExecConfig {
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let id = self.docker.create_exec(&self.id, command).await?.id;
        let StartExecResults::Attached { output, .. } = self.docker.start_exec(&id, None).await? else {
            bail!("its output is not to be had");
        };
        let said = said(output).await?;
        Ok((self.docker.inspect_exec(&id).await?.exit_code, said))
    }

    fn remove(&self) -> anyhow::Result<()> {
        answer(async {
            // Removed by force, whatever comes of asking it to stop.
            let _ = self.docker.stop_container(&self.id, None).await;
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            Ok(self.docker.remove_container(&self.id, Some(options)).await?)
        })
    }
}

impl Host for Container {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn sees(&self, config: &str) -> anyhow::Result<()> {
        self.seen.suffices_for(config)
    }

    fn ended(&self) -> Option<String> {
        match self.runs() {
            Ok(true) => None,
            Ok(false) => Some(
                self.output().map_or_else(|error| format!("{error:#}"), |said| essence(&said).to_owned()),
            ),
            Err(error) => Some(format!("{error:#}")),
        }
    }

    fn restart_workers(&self) -> anyhow::Result<()> {
        let (code, said) = answer(self.execute(&["kong", "reload"]))?;
        ensure!(code == Some(0), "{}", essence(&said));
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            log::error!("cannot remove the container {}: {error:#}", self.id);
        }
    }
}

async fn said(output: impl Stream<Item = Result<LogOutput, Error>>) -> anyhow::Result<String> {
    Ok(output.map_ok(|part| part.to_string()).try_collect().await?)
}

/// By which a container of ours is known; its value is the process that started it.
pub const LABEL: &str = "upstream-mtls.harness";
