use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::gateway::Unavailable;

/// Has kubectl apply manifests to the cluster of its present context; gives what it said.
///
/// Server-side: what others have set is refused and not overwritten, and no copy of a private key ends in the annotation
/// `kubectl.kubernetes.io/last-applied-configuration`. By stdin: neither a file nor an argument has a key.
///
/// # Errors
/// [`Unavailable`]: there is no kubectl. Else it, or the cluster, refuses: with its words.
pub fn apply(manifests: &str) -> anyhow::Result<String> {
    let spawned = Command::new("kubectl")
        .args(["apply", "--server-side", "--field-manager=harness", "--filename=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut kubectl = match spawned {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let message =
                "kubectl is not on PATH: write the files with --output-dir and apply them elsewhere";
            return Err(Unavailable(message.to_owned()).into());
        }
        other => other.context("cannot start kubectl")?,
    };
    if let Some(mut stdin) = kubectl.stdin.take() {
        // One that has no cluster to speak to reads nothing; what it says about that matters more.
        let _ = stdin.write_all(manifests.as_bytes());
    }
    let output = kubectl.wait_with_output().context("kubectl")?;
    let [told, complaints] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    if !output.status.success() {
        bail!("kubectl apply: {}", complaints.trim());
    }
    Ok(told + &complaints)
}
