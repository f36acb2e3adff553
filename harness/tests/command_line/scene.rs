//! A directory with what verbs are asked about, and a harness that runs there.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

pub struct Scene(TempDir);

/// What a run has come to.
pub struct Ran {
    /// `None`: by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        scene.write("policy.yaml", "anonymous: guest\n");
        scene.write("warned.yaml", "anonymous: guest\nrules: [{match: {groups: [vets]}, deny: {}}]\n");
        scene.write("keys.yaml", "consumers: [{username: ann, keys: [{id: a, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]}]\n");
        scene.write("kong.yml", include_str!("../../../kong/kong.yml"));
        scene.write(
            "old.yml",
            "_format_version: '3.0'\nconsumers: [{username: ann, keyauth_credentials: [{id: 5b6a1a2e-2f5c-4f0e-9d0e-2f8f3b1c7a10, key: anns}]}]\n\
             services: [{name: dogs, url: 'http://localhost', routes: [{name: dogs, paths: [/], plugins: [{name: key-auth}]}]}]\n",
        );
        scene.write("empty.yml", "_format_version: '3.0'\n");
        scene.write(
            "cases.yaml",
            "cases:\n- name: nobody gets in\n  request: GET /dogcatcher-mtls/x\n  owed: 401\n",
        );
        fs::create_dir(scene.path().join("cases")).unwrap();
        scene.write("cases/few.yaml", include_str!("../../../tests/conformance/validity.yaml"));
        assert_eq!(scene.in_pipes("certs generate").code, Some(0));
        scene
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// As it is typed, in an environment that says nothing of colours.
    fn command(&self, typed: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(typed.split(' ')).current_dir(self.path()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command
    }

    /// Both outputs into pipes, with more of an environment.
    pub fn in_pipes_with(&self, typed: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(typed);
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || text(stderr));
        let stdout = until_told(child.stdout.take().unwrap(), typed, &child);
        Ran { code: child.wait().unwrap().code(), stdout, stderr: stderr.join().unwrap() }
    }

    pub fn in_pipes(&self, typed: &str) -> Ran {
        self.in_pipes_with(typed, &[])
    }

    /// Stdout into a pipe that nobody reads any more.
    pub fn unread(&self, typed: &str) -> Ran {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = self.command(typed);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        Ran { code: output.status.code(), stdout: String::new(), stderr: text(&*output.stderr) }
    }

    /// Both outputs on a terminal; all of it is in `stdout`.
    pub fn on_a_terminal(&self, typed: &str, environment: &[(&str, &str)]) -> Ran {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let mut command = self.command(typed);
        command.envs(environment.iter().copied()).stdout(open()).stderr(open());
        let mut child = command.spawn().unwrap();
        // The terminal ends when nobody has it open any more.
        drop(command);
        let stdout = until_told(File::from(ours), typed, &child);
        Ran { code: child.wait().unwrap().code(), stdout, stderr: String::new() }
    }
}

/// All that comes. Verbs that run until they are told to end are told so when they have said where they serve.
fn until_told(mut from: impl Read, typed: &str, child: &Child) -> String {
    let serves = ["certs watch", "dogcatcher", "gateway", "up"];
    let is_serving = serves.iter().any(|verb| typed.starts_with(verb)) && !typed.contains("--once");
    let (mut all, mut buffer, mut told) = (Vec::new(), [0; 4096], false);
    // A terminal whose other end is closed is an error.
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        all.extend_from_slice(&buffer[..read]);
        if is_serving && !told && String::from_utf8_lossy(&all).contains("://") {
            kill_process(Pid::from_child(child), Signal::TERM).unwrap();
            told = true;
        }
    }
    text(&*all)
}

fn text(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
