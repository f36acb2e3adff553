//! strip_path and the service's path.

use mtls_policy::envoy::PathRewrite;
use regex::escape;
use serde_json::{Value, json};

use super::matching::Paths;
use kong_config::declarative::{PathMatch, Route, Service};
use kong_config::uri::{Strip, Target};

/// Entries of Envoy's for a route's paths of one kind, the first that matches first: each with its rewrite, if it
/// changes the path.
pub fn entries(route: &Route, service: &Service, paths: &[PathMatch]) -> Vec<(Paths, Option<PathRewrite>)> {
    let base = service.path.as_deref();
    if paths.is_empty() {
        return prefixed("/", if route.strip_path { Strip::Prefix("") } else { Strip::Nothing }, base);
    }
    let entries = paths.iter().map(|path| match path {
        PathMatch::Prefix(prefix) if route.strip_path => prefixed(prefix, Strip::Prefix(prefix), base),
        PathMatch::Prefix(prefix) => prefixed(prefix, Strip::Nothing, base),
        // With strip_path it is refused before.
        PathMatch::Regex(regex) => {
            let rewrite = prefixed("/", Strip::Nothing, base).pop().and_then(|(_, rewrite)| rewrite);
            vec![(Paths::Regex(regex.as_str().to_owned()), rewrite)]
        }
    });
    entries.flatten().collect()
}

fn prefixed(prefix: &str, strip: Strip<'_>, base: Option<&str>) -> Vec<(Paths, Option<PathRewrite>)> {
    let taken = match strip {
        Strip::Prefix(taken) if taken != "/" => taken,
        Strip::Prefix(_) | Strip::Nothing => "",
    };
    let closed = base.unwrap_or_default().trim_end_matches('/');
    let rewrite = PathRewrite { strip: taken.to_owned(), base: format!("{closed}/") };
    let rewrite = (!taken.is_empty() || rewrite.base != "/").then_some(rewrite);
    let mut entries = Vec::new();
    // What is exactly the prefix may lose its slash at the end: a request for the service's path itself.
    let owed = Target::parse(prefix).ok().map(|target| target.for_upstream(strip, base));
    if let (Some(rewrite), Some(owed)) = (&rewrite, owed)
        && rewrite.apply(prefix.as_bytes()).is_none_or(|path| path != owed.as_bytes())
    {
        entries.push((
            Paths::Exact(prefix.to_owned()),
            Some(PathRewrite { strip: prefix.to_owned(), base: owed }),
        ));
    }
    entries.push((Paths::Prefix(prefix.to_owned()), rewrite));
    entries
}

/// Envoy's `regex_rewrite` for it: what [`PathRewrite::apply`] does. Not `prefix_rewrite`, which leaves `//` where a
/// prefix without a slash at its end is replaced by `/`.
pub fn regex_rewrite(rewrite: &PathRewrite) -> Value {
    json!({
        "pattern": { "regex": format!(r"^{}(?:/|\.\.?(?:/|$))?", escape(&rewrite.strip)) },
        // A backslash begins a reference to a group.
        "substitution": rewrite.base.replace('\\', r"\\"),
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn the_upstream_gets_the_path_that_kong_would_send() {
        let prefixes = ["/", "/dogs", "/dogs/", "/a.b"];
        let bases = [None, Some("/"), Some("/api"), Some("/api/"), Some("/api/v1")];
        let rests = ["", "/", "/x", "/x/", "led", "../x", "./x", "..x", "?q=/x", "/?q=1"];
        for (prefix, base, rest) in itertools(&prefixes, &bases, &rests) {
            for strip in [Strip::Prefix(prefix), Strip::Nothing] {
                let Ok(target) = Target::parse(&format!("{prefix}{rest}")) else { continue };
                let sent = match target.query() {
                    Some(query) => format!("{}?{query}", String::from_utf8_lossy(target.path())),
                    None => String::from_utf8_lossy(target.path()).into_owned(),
                };
                if !sent.starts_with(prefix) {
                    continue;
                }
                let owed = target.for_upstream(strip, base);
                let path = sent.split('?').next().unwrap();
                let (_, rewrite) = prefixed(prefix, strip, base)
                    .into_iter()
                    .find(|(paths, _)| match paths {
                        Paths::Exact(exact) => exact == path,
                        Paths::Prefix(prefix) => path.starts_with(prefix),
                        Paths::Regex(_) => false,
                    })
                    .unwrap();
                let filter = rewrite
                    .as_ref()
                    .map_or_else(|| sent.clone().into_bytes(), |r| r.apply(sent.as_bytes()).unwrap());
                let case = format!("{sent} with {strip:?} and {base:?}");
                assert_eq!(String::from_utf8(filter).unwrap(), owed, "{case}: what the filter sees");
                assert_eq!(envoys(rewrite.as_ref(), &sent), owed, "{case}: what Envoy sends");
            }
        }
    }

    fn itertools<'a>(
        prefixes: &'a [&'a str],
        bases: &'a [Option<&'a str>],
        rests: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>, &'a str)> {
        prefixes.iter().flat_map(move |prefix| {
            bases.iter().flat_map(move |base| rests.iter().map(move |rest| (*prefix, *base, *rest)))
        })
    }

    /// As Envoy does it: the path without its query, the first match, RE2's syntax.
    fn envoys(rewrite: Option<&PathRewrite>, sent: &str) -> String {
        let Some(rewrite) = rewrite.map(regex_rewrite) else { return sent.to_owned() };
        let (path, query) = sent.split_at(sent.find('?').unwrap_or(sent.len()));
        let regex = Regex::new(rewrite["pattern"]["regex"].as_str().unwrap()).unwrap();
        let with = rewrite["substitution"].as_str().unwrap();
        format!("{}{query}", regex.replace(path, regex::NoExpand(with)))
    }
}
