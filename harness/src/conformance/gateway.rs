//! A whole gateway, asked over the wire; the upstream tells what it heard.

use anyhow::Context;
use serde_json::{Value, json};

use super::routes::{GATEWAY_KEY, Routes};
use super::{Asked, CERTIFICATES, Host, Shown};
use crate::cases::{Case, Expected, Mistake, Suite, http};
use crate::dogcatcher::ClientCertificate;
use crate::gateway::{Ability, Gateway};
use crate::stack::{ANY_PORT, Keys, Plan, Stack};

/// A gateway that decides by mtls-policy, with all policies in force at once.
pub(super) struct Whole<'g> {
    name: String,
    gateway: &'g dyn Gateway,
    routes: Routes,
    stack: Stack,
}

impl<'g> Whole<'g> {
    /// # Errors
    /// It does not come up.
    pub(super) fn up(name: &str, gateway: &'g dyn Gateway, suites: &[Suite]) -> anyhow::Result<Self> {
        let asked = |case: &Case| {
            why_not(gateway, case).is_none() && !matches!(case.expected(name), Expected::NotAsked(_))
        };
        let routes = Routes::of(suites, asked);
        let stack = up(gateway, &routes.config(None, decides, Vec::new()))?;
        Ok(Self { name: name.to_owned(), gateway, routes, stack })
    }
}

impl Host for Whole<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> &Keys {
        self.stack.keys()
    }

    fn ask(&self, case: &Case) -> anyhow::Result<Asked> {
        if let Some(because) = why_not(self.gateway, case) {
            return Ok(Asked::Not(because));
        }
        let prefix = self.routes.prefix(case).context("a case has no route")?;
        let mut bytes = case.request.bytes(&prefix, self.keys())?;
        if let Some(who) = &case.request.established {
            let line = format!("{GATEWAY_KEY}: {}\r\n", self.keys().of(&who.username)?);
            let first_line = bytes.windows(2).position(|window| window == b"\r\n").unwrap_or_default() + 2;
            bytes.splice(first_line..first_line, line.into_bytes());
        }
        http::ask(&self.stack, &bytes, self.gateway.request_id_header()).map(Asked::Came)
    }

    fn show(&self, mistake: &Mistake) -> anyhow::Result<Shown> {
        let Some(policy) = mistake.policy.as_ref().filter(|_| mistake.at_gateways) else {
            return Ok(Shown::Not("only some mistakes are worth bringing a gateway up for".to_owned()));
        };
        let config = Routes::single(policy).config(None, decides, Vec::new());
        Ok(match up(self.gateway, &config) {
            Ok(_) => Shown::Accepted,
            Err(refused) => Shown::Refused(format!("{refused:#}")),
        })
    }
}

/// A stack whose upstream lets those in too who show no certificate, so that it can tell of them.
pub(super) fn up(gateway: &dyn Gateway, config: &str) -> anyhow::Result<Stack> {
    let stack = Stack::up(gateway, &Plan { config, clients: &CERTIFICATES, proxy: ANY_PORT, status: None })?;
    let mut tls = stack.dogcatcher_tls();
    tls.client_certificate = ClientCertificate::Asked;
    stack.dogcatcher().set_tls(&tls)?;
    Ok(stack)
}

fn decides(policy: &Value) -> Vec<Value> {
    vec![json!({"name": "mtls-policy", "config": policy})]
}

fn why_not(gateway: &dyn Gateway, case: &Case) -> Option<String> {
    if case.request.now.is_some() {
        return Some("a gateway's clock cannot be set".to_owned());
    }
    if !case.request.has_path() {
        return Some("no route's prefix can stand before such a target".to_owned());
    }
    let lacks = case.request.established.as_ref().and_then(|_| gateway.lacks(Ability::KongsOwn));
    lacks.map(str::to_owned)
}
