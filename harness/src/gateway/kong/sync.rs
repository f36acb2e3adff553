//! Brings a Kong with a database to a declarative configuration, through its Admin API.

use std::net::SocketAddr;

use anyhow::{bail, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use super::admin::{ask, message};
use super::entities::{Entities, Entity};

/// The Admin API of a node or control plane, and what it has been told.
pub struct Sync {
    admin: SocketAddr,
    applied: Entities,
}

/// One request of the Admin API.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Put(Entity),
    Delete(Entity),
}

impl Sync {
    /// Of a database that has no entities yet.
    pub fn new(admin: SocketAddr) -> Self {
        Self { admin, applied: Entities::default() }
    }

    /// Makes the changes that lead from what was applied last to `wanted`. If Kong rejects one, those made before it are
    /// taken back.
    ///
    /// # Errors
    /// Kong's message for the change that it rejected.
    pub fn apply(&mut self, wanted: &Entities) -> anyhow::Result<()> {
        let before = self.applied.clone();
        let outcome = self.changes_to(wanted);
        if outcome.is_err()
            && let Err(error) = self.changes_to(&before)
        {
            log::error!("cannot take back changes of the Admin API: {error:#}");
        }
        outcome
    }

    fn changes_to(&mut self, wanted: &Entities) -> anyhow::Result<()> {
        for change in changes(&self.applied, wanted) {
            self.make(change)?;
        }
        Ok(())
    }

    fn make(&mut self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Delete(entity) => {
                let (code, answer) = ask(self.admin, Request::delete(entity.path()), Bytes::new())?;
                // One that has expired is gone already.
                let is_gone = code.is_success() || code == StatusCode::NOT_FOUND;
                ensure!(is_gone, "cannot delete {}: {}", entity.path(), message(code, &answer));
                self.applied.remove(&entity.path());
            }
            Change::Put(entity) => {
                let mut fields = entity.fields.clone();
                let is_new = self.applied.get(&entity.path()).is_none();
                let (method, path) = match (entity.kind.is_posted, is_new) {
                    (false, _) => (Method::PUT, entity.path()),
                    (true, true) => {
                        fields.insert("id".to_owned(), entity.id.as_str().into());
                        (Method::POST, entity.collection.clone())
                    }
                    (true, false) => (Method::PATCH, entity.path()),
                };
                let outcome = request(self.admin, method, &path, Some(&Value::Object(fields)));
                outcome.map_err(|error| error.context(format!("in '{}'", entity.kind.name)))?;
                self.applied.put(entity);
            }
        }
        Ok(())
    }
}

/// Deletes first, children before their parents; then creates and updates, parents first.
fn changes(applied: &Entities, wanted: &Entities) -> Vec<Change> {
    let gone = applied.iter().rev().filter(|entity| wanted.get(&entity.path()).is_none());
    let changed = wanted.iter().filter(|entity| applied.get(&entity.path()) != Some(*entity));
    gone.cloned().map(Change::Delete).chain(changed.cloned().map(Change::Put)).collect()
}

/// Sends a request to the Admin API and returns the entity that it answers with, if any.
///
/// # Errors
/// Kong's message.
pub fn request(admin: SocketAddr, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let mut request = Request::builder().method(method.clone()).uri(path);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let (code, answer) = ask(admin, request, body.into())?;
    ensure!(code.is_success(), "{}", message(code, &answer));
    match code {
        StatusCode::NO_CONTENT => Ok(Value::Null),
        _ => match serde_json::from_slice(&answer) {
            Ok(entity) => Ok(entity),
            Err(error) => bail!("{method} {path} is not answered with JSON: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(from: &str, to: &str) -> Vec<String> {
        let [from, to] = [from, to].map(|config| Entities::read(config).unwrap());
        let named = |change: &Change| match change {
            Change::Put(entity) => format!("put {}", entity.kind.name),
            Change::Delete(entity) => format!("delete {}", entity.kind.name),
        };
        changes(&from, &to).iter().map(named).collect()
    }

    const ROUTE: &str = "services: [{name: s, url: 'http://a', routes: [{name: r, paths: [/r], plugins: [{name: acl, config: {allow: [a]}}]}]}]";

    #[test]
    fn what_is_referred_to_is_created_first_and_deleted_last() {
        assert_eq!(told("{}", ROUTE), ["put services", "put routes", "put plugins"]);
        assert_eq!(told(ROUTE, "{}"), ["delete plugins", "delete routes", "delete services"]);
    }

    #[test]
    fn only_what_differs_is_sent() {
        assert!(told(ROUTE, ROUTE).is_empty());
        assert_eq!(told(ROUTE, &ROUTE.replace("allow: [a]", "allow: []")), ["put plugins"]);
        assert_eq!(told(ROUTE, &ROUTE.replace("http://a", "http://b")), ["put services"]);
    }

    #[test]
    fn a_plugin_that_moves_to_another_route_keeps_its_given_id() {
        let id = "id: 00000000-0000-4000-8000-000000000001";
        let at = |route: &str| {
            format!(
                "routes: [{{name: a, paths: [/a]}}, {{name: b, paths: [/b]}}]\nplugins: [{{{id}, name: acl, route: {route}}}]"
            )
        };
        assert_eq!(told(&at("a"), &at("b")), ["put plugins"]);
    }
}
