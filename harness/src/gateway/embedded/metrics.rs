//! What a gateway counts and tells, in Prometheus' text format and under the names that it has on Kong: there by Kong's
//! plugin prometheus, and by `kong/plugins/upstream-mtls/metrics.lua`.
//!
//! No label names a consumer, and none has what a client has sent.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use super::upstream::{Material, Plugin, Watched};

/// What became of the requests of all routes since the gateway came up.
#[derive(Default)]
pub(super) struct Metrics(Mutex<BTreeMap<String, OfRoute>>);

/// Counts of one route, by names that are known before a request comes.
#[derive(Default)]
struct OfRoute {
    service: String,
    /// By status and by who has answered.
    answers: BTreeMap<(u16, &'static str), u64>,
    /// By the client certificate's name, then by what became of it.
    certificates: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

/// A route and its service, as labels call them; empty where no route matched.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'r> {
    pub(super) route: &'r str,
    pub(super) service: &'r str,
}

impl Metrics {
    /// Counts what became of a client certificate, in the plugin's words; `name` is empty where there is none.
    pub(super) fn presented(&self, place: Place<'_>, name: &str, outcome: &'static str) {
        self.with(place, |of_route| {
            change(&mut of_route.certificates, name, |outcomes| *outcomes.entry(outcome).or_default() += 1);
        });
    }

    /// Counts an answer. `source`: `service` or `kong`, as Kong's plugin says.
    pub(super) fn answered(&self, place: Place<'_>, status: u16, source: &'static str) {
        self.with(place, |of_route| *of_route.answers.entry((status, source)).or_default() += 1);
    }

    fn with(&self, place: Place<'_>, count: impl FnOnce(&mut OfRoute)) {
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut routes, place.route, |of_route| {
            if of_route.service != place.service {
                place.service.clone_into(&mut of_route.service);
            }
            count(of_route);
        });
    }

    /// How many answers of that source had which status, over all routes.
    pub(super) fn statuses(&self, source: &str) -> BTreeMap<u16, u64> {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = routes.values().flat_map(|of_route| &of_route.answers);
        let mut statuses = BTreeMap::new();
        for ((status, _), count) in answers.filter(|((_, by), _)| *by == source) {
            *statuses.entry(*status).or_default() += count;
        }
        statuses
    }

    /// How often each client certificate was presented, by its name, over all routes.
    pub(super) fn presentations(&self) -> BTreeMap<String, u64> {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let certificates = routes.values().flat_map(|of_route| &of_route.certificates);
        let mut presentations = BTreeMap::new();
        for (name, outcomes) in certificates.filter(|(name, _)| !name.is_empty()) {
            let presented = outcomes.get("presented").copied().unwrap_or_default();
            *presentations.entry(name.clone()).or_default() += presented;
        }
        presentations
    }

    /// All of it, with what the plugins have in force at `now`.
    pub(super) fn text<'p>(
        &self,
        plugins: impl IntoIterator<Item = &'p Plugin>,
        now: OffsetDateTime,
    ) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_counts(&mut text);
        let _ = write_gauges(&mut text, plugins, now);
        text
    }

    fn write_counts(&self, text: &mut String) -> fmt::Result {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        family(text, "kong_http_requests_total", "counter", "HTTP status codes per service/route")?;
        for (route, OfRoute { service, answers, .. }) in &*routes {
            for ((code, source), count) in answers {
                let labels = [
                    ("service", &**service),
                    ("route", route),
                    ("code", &code.to_string()),
                    ("source", source),
                ];
                sample(text, "kong_http_requests_total", &labels, *count)?;
            }
        }
        let name = "kong_upstream_mtls_requests_total";
        family(text, name, "counter", "Requests by what was presented to the upstream")?;
        for (route, OfRoute { service, certificates, .. }) in &*routes {
            for (certificate, outcomes) in certificates {
                for (outcome, count) in outcomes {
                    let labels = [
                        ("service", &**service),
                        ("route", route),
                        ("certificate", certificate),
                        ("outcome", outcome),
                    ];
                    sample(text, name, &labels, *count)?;
                }
            }
        }
        Ok(())
    }
}

/// One certificate or trust anchors, as the gauges tell of them.
struct Reading {
    seconds_left: Option<i64>,
    is_newest: bool,
}

fn write_gauges<'p>(
    text: &mut String,
    plugins: impl IntoIterator<Item = &'p Plugin>,
    now: OffsetDateTime,
) -> fmt::Result {
    // Two plugins may watch the same files; Prometheus refuses a sample that comes twice.
    let mut readings = BTreeMap::new();
    for plugin in plugins {
        for (name, watched) in &plugin.certificates {
            let source = source(watched, &plugin.scope, &["client certificate", "key"]);
            readings.insert((&**name, source), reading(watched, |it| it.leaf.not_after, now));
        }
        if let Some(watched) = plugin.trust() {
            let source = source(watched, &plugin.scope, &["ca_file"]);
            readings.insert(("", source), reading(watched, |it| it.not_after, now));
        }
        if let Some(watched) = plugin.revocations() {
            let source = source(watched, &plugin.scope, &["crl_file"]);
            readings.insert(("", source), reading(watched, |it| it.not_after, now));
        }
    }
    let name = "kong_upstream_mtls_expiry_seconds";
    let help = "Seconds until the client certificate, the first of the trust anchors or the first of the CRLs expires";
    family(text, name, "gauge", help)?;
    for ((of, source), Reading { seconds_left, .. }) in &readings {
        if let Some(seconds) = seconds_left {
            sample(text, name, &[("name", of), ("source", source)], *seconds)?;
        }
    }
    let name = "kong_upstream_mtls_last_reload_successful";
    let help = "Whether the newest version of the client certificate or trust anchors is in force";
    family(text, name, "gauge", help)?;
    for ((of, source), Reading { is_newest, .. }) in &readings {
        sample(text, name, &[("name", of), ("source", source)], u8::from(*is_newest))?;
    }
    Ok(())
}

fn reading<T: Material>(
    watched: &Watched<T>,
    not_after: impl Fn(&T) -> OffsetDateTime,
    now: OffsetDateTime,
) -> Reading {
    let in_force = watched.in_force();
    // As on Kong: one that is in force and out of its validity is not what should be.
    let is_valid = |value: &T| value.check(now).is_ok();
    Reading {
        seconds_left: in_force.as_ref().ok().map(|value| (not_after(value) - now).whole_seconds()),
        is_newest: watched.refused().is_none() && in_force.is_ok_and(|value| is_valid(&value)),
    }
}

/// The place, in the plugin's words; what stands in the config has no other than the plugin's scope.
fn source<T: Material>(watched: &Watched<T>, scope: &str, words: &[&str]) -> String {
    if watched.paths().is_empty() {
        return format!("config of {scope}");
    }
    let paths = watched.paths().iter().zip(words).map(|(path, word)| format!("{word} {}", path.display()));
    paths.collect::<Vec<_>>().join(", ")
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) -> fmt::Result {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(text, "{}{label}=\"{value}\"", if index == 0 { '{' } else { ',' })?;
    }
    writeln!(text, "}} {value}")
}

/// Changes what has that name; made on first sight, and a name that is known is not copied.
fn change<T: Default>(map: &mut BTreeMap<String, T>, name: &str, how: impl FnOnce(&mut T)) {
    if let Some(known) = map.get_mut(name) {
        return how(known);
    }
    how(map.entry(name.to_owned()).or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_under_the_names_that_they_have_on_kong() {
        let metrics = Metrics::default();
        let place = Place { route: "dogs", service: "dog\"catcher" };
        metrics.presented(place, "kong-client", "presented");
        metrics.presented(place, "kong-client", "presented");
        metrics.presented(place, "", "nothing selected");
        metrics.answered(place, 200, "service");
        let text = metrics.text([], OffsetDateTime::UNIX_EPOCH);
        for owed in [
            r#"kong_upstream_mtls_requests_total{service="dog\"catcher",route="dogs",certificate="kong-client",outcome="presented"} 2"#,
            r#"kong_upstream_mtls_requests_total{service="dog\"catcher",route="dogs",certificate="",outcome="nothing selected"} 1"#,
            r#"kong_http_requests_total{service="dog\"catcher",route="dogs",code="200",source="service"} 1"#,
        ] {
            assert!(text.lines().any(|line| line == owed), "{owed}\n{text}");
        }
    }
}
