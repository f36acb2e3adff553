//! In which order fields stand: as in the reference.

/// What a mapping or a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Role {
    Consumers,
    Deny,
    Keys,
    Match,
    /// Nothing of a policy: the order stays.
    Other,
    Policy,
    Rules,
}

impl Role {
    /// What the field of this name is.
    pub(in crate::policy) fn of_field(self, name: &str) -> Self {
        match (self, name) {
            (Self::Policy, "consumers") => Self::Consumers,
            (Self::Policy, "rules") => Self::Rules,
            (Self::Consumers, "keys") => Self::Keys,
            (Self::Rules, "match") => Self::Match,
            (Self::Rules, "deny") => Self::Deny,
            _ => Self::Other,
        }
    }

    /// The fields in their order; those of a list are those of its items.
    pub(in crate::policy) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Consumers => &["username", "id", "custom_id", "groups", "keys"],
            Self::Deny => &["status", "message"],
            Self::Keys => &["id", "sha256", "not_before", "not_after"],
            Self::Match => &["consumers", "groups", "methods", "paths", "path_prefix", "hosts", "headers"],
            Self::Other => &[],
            Self::Policy => &[
                "authentication",
                "key_names",
                "key_in_header",
                "key_in_query",
                "key_in_body",
                "key_authorization",
                "key_cookies",
                "hide_credentials",
                "run_on_preflight",
                "realm",
                "anonymous",
                "consumers",
                "consumers_file",
                "client_certificate",
                "rules",
            ],
            Self::Rules => &["match", "client_certificate", "deny"],
        }
    }

    /// Where a field belongs; what is not known stands behind.
    pub(in crate::policy) fn rank(self, name: &str) -> usize {
        let fields = self.fields();
        fields.iter().position(|field| *field == name).unwrap_or(fields.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::schema;

    #[test]
    fn every_field_of_the_schema_has_its_place() {
        let schema = schema::policy();
        let policy = &schema["properties"];
        let item = |field: &str| policy[field]["items"]["properties"].clone();
        let rows = [
            (Role::Policy, policy.clone()),
            (Role::Consumers, item("consumers")),
            (Role::Keys, item("consumers")["keys"]["items"]["properties"].clone()),
            (Role::Rules, item("rules")),
            (Role::Match, item("rules")["match"]["properties"].clone()),
            (Role::Deny, item("rules")["deny"]["properties"].clone()),
        ];
        for (role, properties) in rows {
            let mut known: Vec<_> = properties.as_object().unwrap().keys().map(String::as_str).collect();
            let mut here = role.fields().to_vec();
            known.sort_unstable();
            here.sort_unstable();
            assert_eq!(here, known, "{role:?}");
        }
    }
}
