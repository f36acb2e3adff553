//! A Postgres server for tests: one for each process, in a temporary directory, with one database for each Kong.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use rustix::process::geteuid;

use super::{Plugins, Settings};
use crate::gateway::Unavailable;
use crate::gateway::wait::until;

/// The server of this process.
pub struct Postgres {
    programs: Programs,
    directory: PathBuf,
    address: SocketAddr,
    password: String,
    /// Names of databases that hold Kong's tables and no entities, by the plugins whose tables they have.
    templates: Mutex<BTreeMap<String, String>>,
    created: AtomicU32,
    /// It ends the server and removes its directory when its standard input is closed, so also when this process is killed.
    _keeper: Child,
}

/// One database. Dropping it removes it.
pub struct PostgresDatabase {
    server: &'static Postgres,
    name: String,
}

impl Postgres {
    /// Returns the server, and starts it on the first call.
    ///
    /// # Errors
    /// There is no Postgres on this machine ([`Unavailable`]), or it does not start.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
        // Not within: the error would be remembered as text only.
        let programs = Programs::find()?;
        let server = SERVER.get_or_init(|| Self::start(programs).map_err(|error| format!("{error:#}")));
        server.as_ref().map_err(|error| anyhow!("Postgres does not start: {error}"))
    }

    fn start(programs: Programs) -> anyhow::Result<Self> {
        let mut attempts = 1..ATTEMPTS;
        loop {
            match Self::try_start(&programs) {
                // The port was taken between our choice and Postgres' use of it.
                Err(error) if format!("{error:#}").contains(TAKEN) && attempts.next().is_some() => {}
                outcome => return outcome,
            }
        }
    }

    fn try_start(programs: &Programs) -> anyhow::Result<Self> {
        let root = tempfile::Builder::new().prefix("postgres-").tempdir()?;
        programs.give_to_server(root.path())?;
        let directory = root.path().to_owned();
        let mut password = [0; 16];
        getrandom::fill(&mut password).map_err(|reason| anyhow!("no random bytes: {reason}"))?;
        let password: String = password.iter().map(|byte| format!("{byte:02x}")).collect();
        let password_file = directory.join("password");
        fs::write(&password_file, &password)?;
        fs::set_permissions(&password_file, Permissions::from_mode(0o600))?;
        programs.give_to_server(&password_file)?;
        let data = directory.join("data");
        let mut initdb = programs.command("initdb");
        initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&password_file).args([
            "--username=kong",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
        ]);
        run(&mut initdb)?;

        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = directory.join("log");
        let settings = [
            format!("port={}", address.port()),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", directory.display()),
            "max_connections=300".to_owned(),
            "shared_buffers=32MB".to_owned(),
            // What a crash would lose is not needed afterwards.
            "fsync=off".to_owned(),
            "synchronous_commit=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "autovacuum=off".to_owned(),
        ];
        let mut keeper = programs.as_server("/bin/sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(&directory).arg(programs.path("postgres")).arg("-D").arg(&data);
        for setting in &settings {
            keeper.args(["-c", setting]);
        }
        // Its own group: Ctrl-C in a terminal would end it before the Kongs that use it.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut keeper = keeper.spawn().context("cannot run /bin/sh")?;
        // The keeper removes it.
        let _ = root.keep();

        let server = |keeper| Self {
            programs: programs.clone(),
            directory: directory.clone(),
            address,
            password: password.clone(),
            templates: Mutex::default(),
            created: AtomicU32::new(0),
            _keeper: keeper,
        };
        let mut said = anyhow!("no answer");
        let started = until(STARTING, || {
            let mut ready = programs.command("pg_isready");
            ready.arg("--host").arg(&directory).args(["--port", &address.port().to_string()]);
            match run(&mut ready) {
                Ok(_) => Some(Ok(())),
                Err(error) => {
                    said = error;
                    keeper.try_wait().transpose().map(|_| Err(anyhow!("it ended")))
                }
            }
        });
        let logged = fs::read_to_string(&log).unwrap_or_default();
        match started {
            Some(Ok(())) => Ok(server(keeper)),
            Some(Err(error)) => bail!("{error:#}: {logged}"),
            None => {
                drop(keeper.stdin.take());
                let _ = keeper.wait();
                bail!("{said:#}: {logged}")
            }
        }
    }

    /// Creates a database that holds Kong's tables and no entities. `migrate` runs `kong migrations bootstrap` with
    /// settings; it is called once for each set of plugins.
    ///
    /// # Errors
    /// Postgres or Kong reject it.
    pub fn database(
        &'static self,
        plugins: &Plugins,
        migrate: impl FnOnce(&Settings) -> anyhow::Result<()>,
        settings: &Settings,
    ) -> anyhow::Result<PostgresDatabase> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let key = plugins.setting();
        let template = match templates.get(&key) {
            Some(template) => template.clone(),
            None => {
                let template = format!("template_{number}");
                self.execute(&format!("CREATE DATABASE {template}"))?;
                let mut settings = settings.clone();
                self.put_into(&mut settings, &template);
                migrate(&settings).context("kong migrations bootstrap")?;
                templates.insert(key, template.clone());
                template
            }
        };
        let name = format!("kong_{number}");
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(PostgresDatabase { server: self, name })
    }

    fn put_into(&self, settings: &mut Settings, database: &str) {
        settings.set("database", "postgres");
        settings.set("pg_host", self.address.ip().to_string());
        settings.set("pg_port", self.address.port().to_string());
        settings.set("pg_user", "kong");
        settings.set("pg_password", self.password.as_str());
        settings.set("pg_database", database);
    }

    /// Runs a statement and returns what psql prints.
    fn execute(&self, statement: &str) -> anyhow::Result<String> {
        self.execute_in("postgres", statement)
    }

    fn execute_in(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let mut psql = self.programs.command("psql");
        psql.arg("--host").arg(&self.directory).args(["--port", &self.address.port().to_string()]);
        psql.args(["--username=kong", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--dbname", database, "--command", statement]);
        run(&mut psql)
    }
}

impl PostgresDatabase {
    /// Puts its address into a Kong's settings.
    pub fn put_into(&self, settings: &mut Settings) {
        self.server.put_into(settings, &self.name);
    }

    /// Ends all connections to it and rejects new ones, or accepts them again. The server goes on for other databases.
    ///
    /// # Errors
    /// Postgres rejects it.
    pub fn set_available(&self, is_available: bool) -> anyhow::Result<()> {
        let name = &self.name;
        self.server.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {is_available}"))?;
        if !is_available {
            let end =
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            self.server.execute(&end)?;
        }
        Ok(())
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // A Kong that could not be stopped may still be connected.
        if let Err(error) = self.server.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            log::error!("cannot drop the database {}: {error:#}", self.name);
        }
    }
}

/// Postgres' programs, and as whom they run.
#[derive(Clone)]
struct Programs {
    directory: PathBuf,
    /// User and group; `None`: this process' own.
    user: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Result<Self, Unavailable> {
        let directory = directories().into_iter().find(|directory| directory.join("postgres").is_file());
        let directory = directory.ok_or_else(|| {
            Unavailable(
                "no Postgres on this machine: run harness/install-postgres.sh, or set POSTGRES_BIN to the directory \
                 of its programs"
                    .to_owned(),
            )
        })?;
        // Postgres refuses to run as root.
        let user = geteuid().is_root().then(unprivileged).transpose()?;
        Ok(Self { directory, user })
    }

    fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    fn command(&self, program: &str) -> Command {
        self.as_server(self.path(program))
    }

    /// A command that runs as Postgres' user.
    fn as_server(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // The working directory may be one that this user cannot enter.
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    fn give_to_server(&self, path: &Path) -> anyhow::Result<()> {
        if let Some((user, group)) = self.user {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// Where Postgres may be installed, the newest version first.
fn directories() -> Vec<PathBuf> {
    if let Some(directory) = env::var_os("POSTGRES_BIN").filter(|value| !value.is_empty()) {
        return vec![directory.into()];
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let installed = versions.into_iter().map(|(_, directory)| directory);
    let path = env::var_os("PATH").unwrap_or_default();
    installed.chain(env::split_paths(&path)).collect()
}

/// Ids of the user `postgres`, else of `nobody`.
fn unprivileged() -> Result<(u32, u32), Unavailable> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .ok_or_else(|| Unavailable("no user postgres or nobody: Postgres does not run as root".to_owned()))
}

/// Runs a command and returns what it writes to standard output.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut errors = String::new();
    if let Some(stderr) = &mut child.stderr {
        stderr.read_to_string(&mut errors)?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{program}: {}", errors.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a server until standard input is closed; then ends it and removes its directory.
const KEEPER: &str = r#"
directory=$1
shift
"$@" </dev/null &
server=$!
cat >/dev/null
# Without waiting for clients, and without a last checkpoint: nothing is kept.
kill -QUIT $server
wait $server
rm -rf "$directory"
"#;

/// Postgres' words for it.
const TAKEN: &str = "Address already in use";

const ATTEMPTS: usize = 5;

const STARTING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Write, stderr};

    #[test]
    fn the_server_answers_and_keeps_strangers_out() {
        let server = match Postgres::shared() {
            Ok(server) => server,
            Err(error) => {
                assert!(error.is::<Unavailable>(), "{error:#}");
                writeln!(stderr(), "skipped: {error:#}").unwrap();
                return;
            }
        };
        assert_eq!(server.execute("SELECT 40 + 2").unwrap().trim(), "42");
        let mut psql = server.programs.command("psql");
        psql.args(["--host=127.0.0.1", "--port", &server.address.port().to_string(), "--username=kong"]);
        psql.args(["--no-password", "--dbname=postgres", "--command", "SELECT 1"]);
        let error = run(&mut psql).unwrap_err().to_string();
        assert!(error.contains("password"), "{error}");
    }
}
