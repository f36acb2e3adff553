//! Where keys are looked for.

use super::{Compiler, boxed, is_token};
use crate::policy::cookie;
use crate::policy::credential::{AUTHORIZATION, Places};

impl Compiler<'_> {
    pub(super) fn places(
        &mut self,
        names: Option<Vec<String>>,
        [header, query, body]: [Option<bool>; 3],
        authorization: Option<String>,
        cookies: Option<Vec<String>>,
    ) -> Places {
        let names = names.unwrap_or_else(|| vec!["apikey".to_owned()]);
        if names.is_empty() {
            self.refuse("key_names", "is empty; leave it out for [apikey]");
        }
        self.names("key_names", "header", &names, str::eq_ignore_ascii_case);
        if cookies.as_ref().is_some_and(Vec::is_empty) {
            self.refuse("key_cookies", "is empty; leave it out");
        }
        let cookies = cookies.unwrap_or_default();
        // A cookie's name has a case.
        self.names("key_cookies", "cookie", &cookies, str::eq);
        if let Some(scheme) = authorization.as_ref().filter(|scheme| !is_token(scheme)) {
            self.refuse("key_authorization", format!("{scheme:?} is no scheme, such as Bearer"));
        }
        let (in_header, in_query) = (header.unwrap_or(true), query.unwrap_or(true));
        let in_body = body.unwrap_or(false);
        for (field, there, header) in [
            ("key_authorization", authorization.is_some(), AUTHORIZATION),
            ("key_cookies", !cookies.is_empty(), cookie::HEADER),
        ] {
            if there && in_header && names.iter().any(|name| name.eq_ignore_ascii_case(header)) {
                self.refuse(field, format!("key_names has all of the header {header:?}; leave one out"));
            }
        }
        let is_named = in_header || in_query || in_body;
        if !is_named && authorization.is_none() && cookies.is_empty() {
            self.refuse("key_in_query", "with key_in_header off too, a key could be nowhere");
        }
        Places {
            names: if is_named { boxed(names) } else { Box::default() },
            in_header,
            in_query,
            in_body,
            authorization: authorization.map(Into::into),
            cookies: boxed(cookies),
        }
    }

    fn names(&mut self, at: &str, kind: &str, names: &[String], same: fn(&str, &str) -> bool) {
        for (number, name) in names.iter().enumerate() {
            let path = format!("{at}[{number}]");
            if !is_token(name) {
                self.refuse(
                    &path,
                    format!("{name:?} is no {kind} name: letters, digits and !#$%&'*+-.^_`|~"),
                );
            } else if names[..number].iter().any(|before| same(before, name)) {
                self.refuse(&path, format!("{name:?} is there twice"));
            }
        }
    }
}
