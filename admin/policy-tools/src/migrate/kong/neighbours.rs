//! What else runs where key-auth does, and whether it goes on as it did.
//!
//! The plugin decides where key-auth did. The filter decides after all of Kong's plugins, and tells none of them who is
//! asking: one that answers by itself would answer people without a key.

use super::guards::{Guard, in_force};
use crate::Engine;
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Plugin, Scope, Setup};

/// Whether the policy can take key-auth's place there; if not, it has been said why.
pub(super) fn judge(
    guard: &Guard<'_, '_>,
    setup: &Setup<'_>,
    engine: Option<Engine>,
    notes: &mut Notes<'_>,
) -> bool {
    let here = |plugin: &&Plugin<'_>| {
        let in_force = in_force(setup, guard.place, plugin.name);
        plugin.on
            && match &plugin.scope {
                Scope::Elsewhere(of) => of.starts_with("consumer"),
                _ => in_force.is_some_and(|one| std::ptr::eq(one.node, plugin.node)),
            }
    };
    let mut goes_on = true;
    for policy in
        setup.policies.iter().filter(|policy| policy.chained && guard.place.is_in(&policy.scope, setup))
    {
        goes_on = false;
        let message = "a policy decides here already, in a filter chain";
        notes.cure(Outcome::Unmapped, policy.entity, message, "take one of the two out");
    }
    for plugin in setup.plugins.iter().filter(here) {
        let name = plugin.name;
        let of_a_consumer = matches!(plugin.scope, Scope::Elsewhere(_));
        let refused = if ["acl", "key-auth", "upstream-mtls"].contains(&name) {
            None
        } else if name == "mtls-policy" {
            Some(("a policy decides here already".to_owned(), "take one of the two out"))
        } else if AUTHENTICATING.contains(&name) {
            let message = format!("{name} says who is asking too: a policy asks for a key alone");
            Some((
                message,
                "keep Kong's plugins there, with a policy of `authentication: gateway` for certificates",
            ))
        } else if engine == Some(Engine::Native) {
            None
        } else if of_a_consumer {
            Some((format!("{name} is for some consumers, of whom the filter tells Kong nothing"), NATIVE))
        } else if QUIET.contains(&name) {
            None
        } else if EARLIER.contains(&name) {
            let message =
                format!("with the filter, {name} comes before the key is looked at, and knows no consumer");
            notes.add(Outcome::Differs, plugin.node, message);
            None
        } else {
            Some((format!("with the filter, {name} would run before the key is looked at"), NATIVE))
        };
        if let Some((message, help)) = refused {
            goes_on = false;
            notes.cure(Outcome::Unmapped, plugin.node, message, help);
        }
    }
    goes_on
}

const NATIVE: &str = "with --engine native, where the plugin is loaded and not the filter";

/// Other plugins that establish consumers.
const AUTHENTICATING: [&str; 15] = [
    "basic-auth",
    "header-cert-auth",
    "hmac-auth",
    "jwt",
    "jwt-signer",
    "key-auth-enc",
    "ldap-auth",
    "ldap-auth-advanced",
    "mtls-auth",
    "oauth2",
    "oauth2-introspection",
    "openid-connect",
    "saml",
    "session",
    "vault-auth",
];

/// Those of Kong 3.9 that do the same wherever the key is looked at: they log, come before key-auth too, or have to do
/// with answers.
const QUIET: [&str; 18] = [
    "acme",
    "bot-detection",
    "correlation-id",
    "cors",
    "datadog",
    "file-log",
    "http-log",
    "loggly",
    "opentelemetry",
    "pre-function",
    "prometheus",
    "response-transformer",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "upstream-timeout",
    "zipkin",
];

/// Those that refuse requests and do nothing else to them.
const EARLIER: [&str; 4] =
    ["ip-restriction", "rate-limiting", "request-size-limiting", "response-ratelimiting"];
