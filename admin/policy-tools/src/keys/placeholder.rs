//! Placeholders: text that another program replaces with the key before the gateway reads it.
//!
//! The digest of a placeholder must never get into a policy: it would make the placeholder itself a valid key, and the
//! placeholder is known to everyone who can read the configuration.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// A placeholder syntax. Displays as an example of it, never as the text in which it was found: that text may hold a
/// default value or a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placeholder(&'static str);

impl Placeholder {
    /// Returns the syntax of the first placeholder in `text`, or `None` if the text can be a key.
    ///
    /// A few keys that are not placeholders match too, such as `$ecret`. Callers leave them out and say so, because the
    /// opposite mistake lets requests in.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        SYNTAXES.iter().find(|(_, pattern)| pattern.is_match(text)).map(|(example, _)| Self(example))
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Syntaxes with an example of each. The first match names the placeholder, so the more specific ones come first.
static SYNTAXES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let syntaxes = [
        // decK and GitHub Actions.
        ("${{ … }}", r"\$\{\{"),
        // Shells, envsubst, Docker Compose, Spring, the OpenTelemetry Collector (`${env:NAME}`).
        ("${NAME}", r"\$\{"),
        // Azure DevOps, Kubernetes (`args` and `env`), make.
        ("$(NAME)", r"\$\("),
        // Go templates and Helm, Jinja and Ansible, Handlebars, consul-template.
        ("{{ … }}", r"\{\{"),
        // `deck file render` without --populate-env-vars writes the variable's name instead of its value.
        ("DECK_NAME", r"\bDECK_[A-Z0-9_]+\b"),
        // Kong's references.
        ("{vault://…}", r"\{vault://"),
        // Caddy (`{env.NAME}`, `{$NAME}`), Python's `str.format`, GitLab's `#{NAME}#`.
        ("{NAME}", r"\{[$A-Za-z_][^{}]*\}"),
        // References into secret stores: APISIX's `$secret://` and `$env://`, 1Password's `op://`, vals' `ref+vault://`.
        ("NAME://…", r"^\$?[A-Za-z][A-Za-z0-9+.-]*://"),
        // bank-vaults (`vault:path#field`), AWS Secrets Manager and Parameter Store.
        ("vault:…#…", r"^>?>?vault:.+#"),
        ("arn:…", r"^arn:[a-z-]+:(?:secretsmanager|ssm|kms):"),
        // Encrypted values: SOPS, Ansible Vault, Jasypt.
        ("ENC[…]", r"^(?:ENC[\[(]|\$ANSIBLE_VAULT;)"),
        // A variable as the whole key; within a longer one only in capitals, which is how environments spell them.
        ("$NAME", r"^\$\$?[A-Za-z_][A-Za-z0-9_]*$|\$[A-Z_][A-Z0-9_]+"),
        // Windows, which needs three characters here: `%C3%` is a part of a percent-encoded key.
        ("%NAME%", r"%[A-Za-z_][A-Za-z0-9_.]{2,}%"),
        // Documentation, and ERB's `<%= ENV["NAME"] %>`.
        ("<NAME>", r"<%.*%>|<[A-Za-z][^<>]*>"),
        // Nomad and others that avoid braces.
        ("[[ … ]]", r"\[\[.*\]\]"),
        // Autoconf, Maven, CMake.
        ("@NAME@", r"@[A-Za-z_][A-Za-z0-9_.]*@"),
        // Azure DevOps' Replace Tokens.
        ("__NAME__", r"^__[A-Za-z][A-Za-z0-9_.]*__$"),
    ];
    #[expect(clippy::expect_used, reason = "the patterns are constant, and the tests compile them")]
    let compiled =
        syntaxes.map(|(example, pattern)| (example, Regex::new(pattern).expect("a valid pattern")));
    compiled.into()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_in_every_syntax() {
        let rows = [
            ("$SERVICE_KEY", "$NAME"),
            ("$service_key", "$NAME"),
            ("$$SERVICE_KEY", "$NAME"),
            ("prod-$SERVICE_KEY", "$NAME"),
            ("${SERVICE_KEY}", "${NAME}"),
            ("${SERVICE_KEY:-secret}", "${NAME}"),
            ("${env:SERVICE_KEY}", "${NAME}"),
            ("prefix-${SERVICE_KEY}-suffix", "${NAME}"),
            ("${{ env \"DECK_KEY\" }}", "${{ … }}"),
            ("${{ secrets.KEY }}", "${{ … }}"),
            ("DECK_SERVICE_KEY", "DECK_NAME"),
            ("prod-DECK_SERVICE_KEY", "DECK_NAME"),
            ("$(SERVICE_KEY)", "$(NAME)"),
            ("$(cat /run/secrets/key)", "$(NAME)"),
            ("{{SERVICE_KEY}}", "{{ … }}"),
            ("{{ .Values.apiKey | quote }}", "{{ … }}"),
            ("{{{SERVICE_KEY}}}", "{{ … }}"),
            ("{vault://env/service-key}", "{vault://…}"),
            ("{env.SERVICE_KEY}", "{NAME}"),
            ("{$SERVICE_KEY}", "{NAME}"),
            ("{SERVICE_KEY}", "{NAME}"),
            ("#{SERVICE_KEY}#", "{NAME}"),
            ("$secret://vault/1/ann/key", "NAME://…"),
            ("$ENV://SERVICE_KEY", "NAME://…"),
            ("vault://kv/service-key", "NAME://…"),
            ("op://prod/service/key", "NAME://…"),
            ("ref+vault://kv/service#key", "NAME://…"),
            ("file:///run/secrets/key", "NAME://…"),
            ("vault:secret/data/service#key", "vault:…#…"),
            ("arn:aws:secretsmanager:eu-central-1:1:secret:key", "arn:…"),
            ("ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]", "ENC[…]"),
            ("ENC(Zm9v)", "ENC[…]"),
            ("$ANSIBLE_VAULT;1.1;AES256", "ENC[…]"),
            ("%SERVICE_KEY%", "%NAME%"),
            ("%KEY%", "%NAME%"),
            ("<KEY>", "<NAME>"),
            ("<your API key>", "<NAME>"),
            ("<%= ENV['SERVICE_KEY'] %>", "<NAME>"),
            ("[[ env \"SERVICE_KEY\" ]]", "[[ … ]]"),
            ("@SERVICE_KEY@", "@NAME@"),
            ("@service.key@", "@NAME@"),
            ("__SERVICE_KEY__", "__NAME__"),
        ];
        for (text, expected) in rows {
            assert_eq!(
                Placeholder::find(text).map(|found| found.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_are_no_placeholders() {
        let rows = [
            "mtlsk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "8a0e6f3c-6f8e-4d8e-9a53-0a4d1f9f2b11",
            "Zm9vYmFy+/==",
            "a$b",
            "pa$$word",
            "$2b$10$abcdefghijklmnopqrstuv",
            "100%",
            "%C3%A4",
            "a%2Bb%20c",
            "a<b",
            "a>b<c",
            "{1}",
            "{}",
            "user@example.com",
            "_private_",
            "REPLACE_ME",
            "key#1",
            "sha:256",
        ];
        for text in rows {
            assert_eq!(Placeholder::find(text), None, "{text}");
        }
    }
}
