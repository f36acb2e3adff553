//! The page itself, whole: its style and its script are in it, and their digests are all that its policy admits.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The document and its Content-Security-Policy.
pub(super) struct Document {
    pub(super) html: String,
    pub(super) policy: String,
}

pub(super) static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document {
    html: HTML.replace("{style}", STYLE).replace("{script}", SCRIPT),
    // Nothing from elsewhere, nothing into elsewhere, and no text that becomes markup.
    policy: format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        digest(SCRIPT),
        digest(STYLE)
    ),
});

fn digest(of: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(of)))
}

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let html = &DOCUMENT.html;
        assert!(html.contains(&format!("<script>{SCRIPT}</script>")));
        assert!(html.contains(&format!("<style>{STYLE}</style>")));
        for elsewhere in [" src=", "@import", " style=", " onclick", " onload", "innerHTML", "eval("] {
            assert!(!html.contains(elsewhere), "{elsewhere}");
        }
        // Within the picture, parts of it refer to each other.
        assert_eq!(html.matches("url(").count(), html.matches("url(#").count());
        let addresses = html.match_indices("://").filter(|(at, _)| !html[..*at].ends_with("http"));
        assert_eq!(addresses.count(), 0);
        assert_eq!(html.matches("http://").count(), html.matches("http://www.w3.org/2000/svg").count());
    }
}
