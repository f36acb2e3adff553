//! The demonstration: the path from an API key to a client certificate, and every way in which it must fail.

mod client;
mod table;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::gateway::Gateway;
use crate::progress;
use crate::stack::{ANY_PORT, Plan, Stack};
use pki::{Authority, Ca, Leaf};
use policy_tools::keys::digest;

use client::{Client, Direct};
use table::Table;

/// Walks it, and prints each step as it is done; true if all is as it should be.
///
/// # Errors
/// It cannot be brought up at all, or not be printed.
pub fn run(gateway: &dyn Gateway, print: Print) -> anyhow::Result<bool> {
    // reqwest takes the process' TLS provider; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stack = Stack::up(
        gateway,
        &Plan {
            config: include_str!("../../../kong/kong.yml"),
            clients: &["kong-client", "kong-vet"],
            proxy: ANY_PORT,
            status: None,
        },
    )?;
    let stranger = Authority::root(&Ca::named("a stranger's CA"))?;
    stack.put("stranger", "", "", &stranger.pem())?;

    let mut table = Table::start(print);
    directly(&stack, &stranger, &mut table)?;
    keys(&stack, &mut table)?;
    secrets_and_names(&stack, &mut table)?;
    stack.reconfigure(include_str!("rules.yml")).context("the second config")?;
    certificates(&stack, &mut table)?;
    rotation(&stack, &mut table)?;
    table.close()
}

fn directly(stack: &Stack, stranger: &Authority, table: &mut Table<Print>) -> anyhow::Result<()> {
    table.head("Dogcatcher speaks to nobody whom its CA does not vouch for");
    let own = stack.authority().issue(&Leaf::client("kong-client"))?;
    let forged = stranger.issue(&Leaf::client("kong-client"))?;
    table.row(
        "directly, with kong-client's certificate",
        "200 as kong-client",
        &Direct::with(stack, Some(&own))?,
    );
    table.row("directly, without a certificate", "handshake refused", &Direct::with(stack, None)?);
    table.row(
        "directly, with kong-client's name by another CA",
        "handshake refused",
        &Direct::with(stack, Some(&forged))?,
    );
    Ok(())
}

fn keys(stack: &Stack, table: &mut Table<Print>) -> anyhow::Result<()> {
    table.head("Model Citizen speaks plain HTTP and has an API key (kong/kong.yml, to the letter)");
    let client = Client::of(stack)?;
    let key = stack.keys().of("model-citizen")?;
    let path = "/dogcatcher-mtls/api/whoami";
    let get = |key: &str| client.get(path).header("X-API-Key", key);
    table.row("without a key", "401 No API key found in request", &client.get(path).summary()?);
    table.row("with a wrong key", "401 Unauthorized", &get("let-me-in").summary()?);
    table.row(
        "with the key's stored digest instead of the key",
        "401 Unauthorized",
        &get(&digest(&key)).summary()?,
    );
    table.row(
        "with two keys",
        "401 Duplicate API key found",
        &get(&key).header("X-API-Key", "let-me-in").summary()?,
    );
    table.row("with the key in the header", "200 as kong-client", &get(&key).summary()?);
    let query = format!("{path}?X-API-Key={key}");
    table.row("with the key in the query", "200 as kong-client", &client.get(&query).summary()?);
    Ok(())
}

fn secrets_and_names(stack: &Stack, table: &mut Table<Print>) -> anyhow::Result<()> {
    table.head("What the upstream hears");
    let client = Client::of(stack)?;
    let key = stack.keys().of("model-citizen")?;
    let both = format!("/dogcatcher-mtls/anything?a=1&X-API-Key={key}&b=2");
    let heard = client.get(&both).header("X-API-Key", &key).json()?;
    let told = if heard.to_string().contains(&key) { "the key" } else { "no key" };
    table.row("the key in header and query: of it, Dogcatcher hears", "no key", told);
    table.row("of the other arguments", "/anything?a=1&b=2", heard["uri"].as_str().unwrap_or_default());
    let spoofed = client
        .get("/dogcatcher-mtls/anything")
        .header("X-API-Key", &key)
        .header("X-Consumer-Username", "the-warden")
        .header("X_Consumer_Username", "the-warden")
        .header("X-Credential-Identifier", "the-warden")
        .json()?;
    let said = if spoofed.to_string().contains("the-warden") { "the-warden" } else { "model-citizen" };
    table.row("a client that calls itself the-warden is", "model-citizen", said);
    Ok(())
}

fn certificates(stack: &Stack, table: &mut Table<Print>) -> anyhow::Result<()> {
    table.head(
        "Who asks for what decides as whom Dogcatcher is called (reloaded: harness/src/demo/rules.yml)",
    );
    let client = Client::of(stack)?;
    let send = |method: &str, path: &str, who: &str| -> anyhow::Result<String> {
        client.request(method, path).header("X-API-Key", &stack.keys().of(who)?).summary()
    };
    table.row("model-citizen, GET", "200 as kong-client", &send("GET", "/dogs/anything", "model-citizen")?);
    table.row("by route: /clinic", "200 as kong-vet", &send("GET", "/clinic/anything", "model-citizen")?);
    table.row(
        "by group and method: a vet reads",
        "200 as kong-client",
        &send("GET", "/dogs/api/dogs", "vet")?,
    );
    table.row(
        "by group and method: a vet writes",
        "201 as kong-vet",
        &send("POST", "/dogs/api/dogs", "vet")?,
    );
    table.row(
        "denied: an intern",
        "403 interns look, they don't touch",
        &send("GET", "/dogs/api/dogs", "intern")?,
    );
    let before = stack.dogcatcher().counts().requests;
    table.row(
        "a certificate that nobody holds",
        "503 No client certificate in force",
        &send("GET", "/archive/anything", "vet")?,
    );
    table.row(
        "an upstream that another CA would have to vouch for",
        "502 An invalid response was received from the upstream server",
        &send("GET", "/impostor/anything", "vet")?,
    );
    let heard = stack.dogcatcher().counts().requests - before;
    table.row("of these two, Dogcatcher heard", "nothing", if heard == 0 { "nothing" } else { "something" });
    Ok(())
}

/// Certificates change while requests flow.
fn rotation(stack: &Stack, table: &mut Table<Print>) -> anyhow::Result<()> {
    table.head("Certificates rotate while requests flow");
    progress::at("rotating certificates while requests flow");
    let client = Client::of(stack)?;
    let key = stack.keys().of("model-citizen")?;
    let fingerprint = || -> anyhow::Result<String> {
        let heard = client.get("/dogs/anything").header("X-API-Key", &key).json()?;
        Ok(heard["client"]["fingerprint"].as_str().unwrap_or_default().to_owned())
    };
    let done = AtomicBool::new(false);
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let summary = client.get("/dogs/anything").header("X-API-Key", &key).summary();
                    answered.fetch_add(1, Ordering::Relaxed);
                    if !summary.is_ok_and(|summary| summary == "200 as kong-client") {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let outcome = (|| {
            let fresh = stack.authority().issue(&Leaf::client("kong-client"))?;
            stack.rotate("kong-client", &fresh)?;
            until(|| Ok(fingerprint()? == fresh.fingerprint()))?;
            table.row("a new certificate and key take over", "yes", "yes");
            let good = fresh.fingerprint();
            stack.put("kong-client", "half a certifi", "", &stack.authority().pem())?;
            until(|| Ok(stack.gateway().log().contains("kong-client")))?;
            let came = if fingerprint()? == good { "the last good one" } else { "something else" };
            table.row("garbage in its place: presented is", "the last good one", came);
            let fresh = stack.authority().issue(&Leaf::client("kong-client"))?;
            stack.rotate("kong-client", &fresh)?;
            until(|| Ok(fingerprint()? == fresh.fingerprint()))?;
            table.row("a good one again takes over", "yes", "yes");
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        outcome
    })?;
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    let what = format!("of {answered} requests meanwhile, failed");
    table.row(&what, "0", &failed.to_string());
    Ok(())
}

/// Where a piece of text goes.
type Print = fn(&str) -> anyhow::Result<()>;

/// Asks again and again until it is so.
fn until(mut so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !so()? {
        if Instant::now() > deadline {
            bail!("it did not come to be within {} s", PATIENCE.as_secs());
        }
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(20);
