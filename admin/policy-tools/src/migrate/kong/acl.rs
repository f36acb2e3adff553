//! What the acl plugin's groups are in rules (kong/plugins/acl/handler.lua of Kong 3.9.1).

use super::people::People;
use super::rewrite::is_listed;
use crate::migrate::policy::{Outcome as Then, Policy, Rule};
use crate::migrate::report::{Notes, Outcome};
use crate::policy::{Plugin, Setup};
use kong_config::document::{Node, Value};

/// Who may pass, by groups.
pub(super) struct Access<'d> {
    node: &'d Node,
    groups: Vec<String>,
    allows: bool,
}

impl<'d> Access<'d> {
    /// `None`: it cannot be mapped, and it has been said why.
    pub(super) fn read(
        plugin: &Plugin<'d>,
        setup: &Setup<'_>,
        people: &People<'_>,
        notes: &mut Notes<'_>,
    ) -> Option<Self> {
        let mut wrong = false;
        let mut refuse = |at: &Node, message: &str, help: &str, notes: &mut Notes<'_>| {
            wrong = true;
            notes.cure(Outcome::Unmapped, at, message, help);
        };
        let (mut allow, mut deny, mut hides) = (Vec::new(), Vec::new(), false);
        let fields = plugin.node.get("config").map(|config| &config.value);
        let Some(Value::Map(fields)) = fields else {
            refuse(plugin.node, "acl without a config", "correct it", notes);
            return None;
        };
        for (key, node) in fields {
            let groups = || node.items().iter().filter_map(Node::as_str).map(str::to_owned).collect();
            match (key.name.as_str(), &node.value) {
                (_, Value::Null) | ("always_use_authenticated_groups", Value::Boolean(_)) => {}
                ("include_consumer_groups", Value::Boolean(false)) => {}
                ("allow", Value::List(_)) => allow = groups(),
                ("deny", Value::List(_)) => deny = groups(),
                ("hide_groups_header", Value::Boolean(hide)) => hides = *hide,
                (other, _) => {
                    let message = format!("acl's `{other}` has no counterpart");
                    refuse(node, &message, "write it by `allow` and `deny`", notes);
                }
            }
        }
        let allows = deny.is_empty();
        let groups = if allows { allow } else { deny };
        let of_dump = setup.entities.iter().any(|entity| is_listed(entity.document));
        if !allows && of_dump && !groups.iter().any(|group| people.has_group(group)) {
            let message = "nobody in the dump is in a group that is denied";
            refuse(plugin.node, message, "give what /acls tells too", notes);
        }
        if !hides {
            let message = "acl: the upstream hears no X-Consumer-Groups any more";
            notes.add(Outcome::Differs, plugin.node, message);
        }
        let way = if allows { "allows" } else { "denies" };
        if !wrong {
            notes.add(Outcome::Mapped, plugin.node, format!("acl, which {way} {}: rules", groups.join(", ")));
        }
        (!wrong).then_some(Self { node: plugin.node, groups, allows })
    }

    /// Adds the rules, in the order in which acl asks.
    pub(super) fn decide(&self, policy: &mut Policy, people: &People<'_>, notes: &mut Notes<'_>) {
        let everybody = people.of_policy(policy.anonymous.as_deref());
        let is_in = |groups: &[String]| groups.iter().any(|group| self.groups.contains(group));
        let has = |group: &&String| everybody.iter().any(|one| one.groups.contains(group));
        let known: Vec<String> = self.groups.iter().filter(has).cloned().collect();
        if policy.run_on_preflight == Some(false) {
            // key-auth has let them pass as nobody, whom acl does not know.
            policy.rules.push(Rule { methods: vec!["OPTIONS".to_owned()], ..unauthorized() });
        }
        if !self.allows {
            if !known.is_empty() {
                policy.rules.push(Rule { groups: known, ..forbidden() });
            }
            return;
        }
        let anonymous = everybody.iter().find(|one| Some(&one.username) == policy.anonymous.as_ref());
        let nobody = anonymous.filter(|one| one.groups.is_empty());
        if let Some(nobody) = nobody {
            policy.rules.push(Rule { consumers: vec![nobody.username.clone()], ..unauthorized() });
        }
        match &policy.client_certificate {
            Some(certificate) => {
                let present = Then::Present(certificate.clone());
                if !known.is_empty() {
                    policy.rules.push(Rule { groups: known, outcome: present, ..forbidden() });
                }
                policy.rules.push(forbidden());
                policy.client_certificate = None;
            }
            // A rule that lets pass has to name a certificate, so those are named whom acl refuses.
            None => {
                let refused = everybody.iter().filter(|one| !is_in(&one.groups));
                let refused = refused
                    .map(|one| &one.username)
                    .filter(|one| Some(*one) != nobody.map(|one| &one.username));
                let refused: Vec<_> = refused.cloned().collect();
                let message = "acl: who is not allowed is refused by name, so a consumer to come is let in unless a rule says no";
                notes.add(Outcome::Differs, self.node, message);
                if !refused.is_empty() {
                    policy.rules.push(Rule { consumers: refused, ..forbidden() });
                }
            }
        }
    }
}

fn forbidden() -> Rule {
    denying(403, "You cannot consume this service")
}

fn unauthorized() -> Rule {
    denying(401, "Unauthorized")
}

fn denying(status: i64, message: &'static str) -> Rule {
    let outcome = Then::Deny { status, message };
    Rule { consumers: Vec::new(), groups: Vec::new(), methods: Vec::new(), outcome }
}
