use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;

use crate::cli::{Usage, is_plain_name, print};
use crate::kubernetes::{File, Identity, InvalidIdentity, Kong, Plugins, Way, apply};
use crate::progress;
use pki::{Batch, Existing};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness kong configure --output-dir k8s
  harness kong configure --kong-ns kong --dogcatcher-ns default --apply")]
pub(in crate::cli) struct Configure {
    /// Who presents the client certificate
    #[arg(long, value_enum, default_value_t)]
    way: Way,
    /// Namespace that Kong runs in
    #[arg(long, value_name = "NAMESPACE", default_value = "kong")]
    kong_ns: String,
    /// Namespace of the upstream's Service
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    dogcatcher_ns: String,
    /// The upstream's Service
    #[arg(long, value_name = "NAME", default_value = "dogcatcher-api")]
    dogcatcher_svc: String,
    /// Port of the upstream's Service and of its pods
    #[arg(long, value_name = "PORT", default_value_t = 5443)]
    dogcatcher_port: u16,
    /// Where the client's certificate and key and ca.crt are, as `harness certs generate` or cert-manager call them
    #[arg(long, value_name = "DIR", default_value = "./certs/mtls")]
    cert_dir: PathBuf,
    /// Name of the client certificate
    #[arg(long, value_name = "NAME", default_value = "kong-client")]
    client: String,
    /// Ingress class of Kong Ingress Controller
    #[arg(long, value_name = "CLASS", default_value = "kong")]
    ingress_class: String,
    /// Write KongClusterPlugins, which every namespace may use, instead of KongPlugins
    #[arg(long)]
    cluster_plugins: bool,
    /// Where the files go, secrets.yaml readable by its owner alone; without it, all of it goes to stdout, private key
    /// included
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, requires = "output_dir")]
    force: bool,
    /// Apply what is for Kubernetes, through kubectl, to the cluster of its present context
    #[arg(long)]
    apply: bool,
}

pub(super) fn run(typed: Configure) -> anyhow::Result<()> {
    let (kong, identity) = check(&typed)?;
    let files = kong.files(&identity);
    if let Some(directory) = &typed.output_dir {
        let mut batch = Batch::new(directory);
        files.iter().for_each(|file| batch.add(file.name, file.access, file.content.clone()));
        let existing = if typed.force { Existing::Replace } else { Existing::Keep };
        batch.write(existing).context("cannot write (--force replaces files)")?;
    }
    if typed.apply {
        progress::at("applying, by kubectl");
    }
    let applied = if typed.apply { apply(&manifests(&files))? } else { String::new() };
    print(&match &typed.output_dir {
        Some(directory) => applied + &written(&files, &directory.display().to_string(), &kong, typed.apply),
        None if typed.apply => applied,
        None => stream(&files),
    })
}

/// What was meant; all that is wrong with it at once.
fn check(typed: &Configure) -> anyhow::Result<(Kong, Identity)> {
    let Configure {
        way,
        kong_ns,
        dogcatcher_ns,
        dogcatcher_svc,
        dogcatcher_port,
        cert_dir,
        client,
        ingress_class,
        cluster_plugins,
        output_dir: _,
        force: _,
        apply: _,
    } = typed;
    let mut wrong = Vec::new();
    let labels = [
        ("--kong-ns", kong_ns),
        ("--dogcatcher-ns", dogcatcher_ns),
        ("--dogcatcher-svc", dogcatcher_svc),
        ("--client", client),
        ("--ingress-class", ingress_class),
    ];
    for (option, label) in labels {
        if !is_label(label) {
            wrong.push(format!(
                "{option} {label:?}: give 1 to {LONGEST} of a-z, 0-9 and \"-\", with a letter first and a letter or \
                 digit last"
            ));
        }
    }
    if *dogcatcher_port == 0 {
        wrong.push("--dogcatcher-port 0: give 1 to 65535".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Usage(wrong).into());
    }
    let identity =
        Identity::read(cert_dir, client, OffsetDateTime::now_utc()).map_err(|invalid| match invalid {
            InvalidIdentity::Unreadable { .. } => anyhow::Error::new(Usage(vec![invalid.to_string()])),
            InvalidIdentity::Unusable { .. } => invalid.into(),
        })?;
    let kong = Kong {
        way: *way,
        namespace: kong_ns.clone(),
        ingress_class: ingress_class.clone(),
        service: dogcatcher_svc.clone(),
        service_namespace: dogcatcher_ns.clone(),
        port: *dogcatcher_port,
        client: client.clone(),
        plugins: if *cluster_plugins { Plugins::OfCluster } else { Plugins::OfNamespace },
    };
    Ok((kong, identity))
}

/// What is for Kubernetes, as one YAML stream.
fn manifests(files: &[File]) -> String {
    let manifests = files.iter().filter(|file| file.is_manifest());
    manifests.map(|file| &*file.content).collect::<Vec<_>>().join("---\n")
}

/// The same, with what is for Helm behind it as a comment: all of it can be piped into kubectl.
fn stream(files: &[File]) -> String {
    let mut text = manifests(files);
    for File { name, content, .. } in files.iter().filter(|file| !file.is_manifest()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n# {name}:");
        for line in content.lines() {
            let _ = writeln!(text, "{}", format!("#   {line}").trim_end());
        }
    }
    text
}

fn written(files: &[File], directory: &str, kong: &Kong, applied: bool) -> String {
    let names: Vec<_> = files.iter().map(|file| file.name).collect();
    let mut text = format!("In {directory}: {}\n", names.join(", "));
    if !applied {
        let manifests: Vec<_> = (files.iter().filter(|file| file.is_manifest()))
            .map(|file| format!(" --filename {directory}/{}", file.name))
            .collect();
        let _ = writeln!(text, "\n  kubectl apply --server-side{}", manifests.concat());
    }
    for file in files.iter().filter(|file| !file.is_manifest()) {
        let _ = writeln!(
            text,
            "  helm upgrade --install kong kong/kong --namespace {} --create-namespace --values {directory}/{}",
            kong.namespace, file.name
        );
    }
    text.push_str("\nsecrets.yaml holds the private key: keep it out of version control.\n");
    text
}

/// A DNS label that is also a Service's name (RFC 1035), which the strictest of these has to be, and short enough for what
/// is put behind it.
fn is_label(text: &str) -> bool {
    is_plain_name(text)
        && text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A label has 63 characters; "-from-kong" and "-upstream-mtls" go behind.
const LONGEST: usize = 48;
