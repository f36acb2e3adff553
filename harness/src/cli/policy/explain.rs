//! `harness policy explain`.

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::documents;
use crate::cli::{No, Usage, print, tell};
use policy_tools::keys::{ApiKey, Checksum};
use policy_tools::policy::{self, Asker, Question, Request, Setup};

/// What was typed.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Typed {
    /// A policy, or configs that hold some
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Name or id of the route; without it, the one that the request takes; or the name of a KongPlugin
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    #[arg(long, default_value = "GET")]
    method: String,
    /// Path and query: as the client sends them; of a policy alone, as the upstream would receive them
    #[arg(long, default_value = "/", conflicts_with = "upstream_path")]
    path: String,
    /// Path and query as the upstream would receive them, on the route that --route names
    #[arg(long, value_name = "PATH")]
    upstream_path: Option<String>,
    #[arg(long, default_value = "localhost")]
    host: String,
    /// A header of the request; again for more
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Ask as this consumer, as if by a valid key
    #[arg(long, value_name = "USERNAME", conflicts_with = "key")]
    consumer: Option<String>,
    /// A group of the consumer that the policy does not know; again for more
    #[arg(long = "group", value_name = "NAME", requires = "consumer")]
    groups: Vec<String>,
    /// Ask with the API key that stdin holds
    #[arg(long)]
    key: bool,
    /// Ask as of this moment instead of now: 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "FILE is a policy (YAML or JSON), Kong's declarative config, decK's, or what a running Kong's Admin \
API tells (GET /config; /plugins, /routes and /services together); `-` is stdin. A key is never an argument: others on \
the machine could read it.

Examples:
  harness policy explain policy.yaml --method POST --path /api/dogs --consumer vet
  harness policy explain kong.yml --path /dogcatcher-mtls/api/dogs --key < key.txt
  harness policy explain kong.yml --route dogcatcher-mtls --upstream-path /api/dogs --consumer vet

Exit codes: 0 the request is allowed; 1 it is refused; 2 could not ask.";

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let json = typed.json;
    let files = typed.files.clone();
    // Until the policy has been asked, whatever goes wrong is a question that could not be put.
    let explanation = (|| {
        let question = question(typed)?;
        let documents = documents(&files)?;
        policy::explain(&Setup::of(&documents), &question)
    })()
    .map_err(|error| match error.downcast::<Usage>() {
        Ok(usage) => usage,
        Err(error) => Usage(vec![format!("{error:#}")]),
    })?;
    print(&if json {
        serde_json::to_string_pretty(&explanation)? + "\n"
    } else {
        policy::explanation_text(&explanation)
    })?;
    if !explanation.is_allowed() {
        return Err(No("the request is refused".to_owned()).into());
    }
    Ok(())
}

fn question(typed: Typed) -> anyhow::Result<Question> {
    let Typed {
        files,
        route,
        method,
        path,
        upstream_path,
        host,
        headers,
        consumer,
        groups,
        key,
        at,
        json: _,
    } = typed;
    let mut wrong = Vec::new();
    let headers = headers.iter().filter_map(|header| match header.split_once(':') {
        Some((name, value)) => Some((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            wrong.push(format!("--header {header:?}: give NAME: VALUE"));
            None
        }
    });
    let headers = headers.collect();
    let now = match &at {
        None => OffsetDateTime::now_utc(),
        Some(text) => OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|_| {
            wrong.push(format!("--at {text:?}: give 2027-01-15T08:00:00Z"));
            OffsetDateTime::UNIX_EPOCH
        }),
    };
    if key && files.iter().any(|file| file.as_os_str() == "-") {
        wrong.push("--key and the file - both want stdin: give the file by its name".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Usage(wrong).into());
    }
    let asker = match consumer {
        Some(username) => Asker::Consumer { username, groups },
        None if key => {
            let key = ApiKey::read(std::io::stdin())??;
            if key.checksum() == Checksum::Wrong {
                tell("warning: this key was mistyped or cut: its checksum is wrong\n");
            }
            if let Some(placeholder) = key.placeholder() {
                tell(&format!(
                    "warning: stdin holds a placeholder ({placeholder}) and probably not the key itself\n"
                ));
            }
            Asker::Key(key)
        }
        None => Asker::Nobody,
    };
    let upstream = upstream_path.is_some();
    let request = Request { method, host, target: upstream_path.unwrap_or(path), headers };
    Ok(Question { request, asker, route, upstream, now })
}
