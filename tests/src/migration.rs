//! The same requests before and after a migration.

use std::collections::BTreeSet;
use std::fmt::Write;

use harness::cases::Outcome;
use policy_tools::Engine;
use policy_tools::migrate::{Migration, Source, migrate};
use policy_tools::policy::Document;

use crate::Setting;

/// A request, as text with the API keys' names in it.
pub struct Ask {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Ask {
    /// Its headers, and its query with the `?`.
    pub fn head(&self) -> (String, String) {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let (line, headers) = text.split_once("\r\n").unwrap();
        let target = line.split(' ').nth(1).unwrap();
        (headers.to_owned(), target.find('?').map_or("", |at| &target[at..]).to_owned())
    }
}

/// Why an answer may be other than before, and what it is then.
#[derive(Clone, Copy)]
pub struct Difference {
    pub reason: &'static str,
    /// From what was before to what is owed now, where it concerns the request.
    pub owed: fn(&Ask, &mut Outcome),
}

impl Setting {
    /// Puts an old config in force, asks, migrates what the gateway reads, puts that in force, asks again, and holds one
    /// against the other. Every difference has to have its reason, and every reason a difference.
    pub fn migrates(
        &self,
        old: &str,
        source: Source,
        asks: &[Ask],
        differences: &[Difference],
        engine: Option<Engine>,
    ) -> Migration {
        self.reconfigure_to(old).unwrap_or_else(|error| panic!("the old config: {error:#}"));
        let document =
            Document::parse("old.yml".to_owned(), self.config()).unwrap_or_else(|_| panic!("no document"));
        let before: Vec<_> = asks.iter().map(|ask| self.outcome(ask)).collect();
        let migration =
            migrate(&[document], source, engine, None).unwrap_or_else(|refused| panic!("{refused}"));
        self.reconfigure_to(migration.config.as_deref().unwrap())
            .unwrap_or_else(|error| panic!("the new config: {error:#}"));
        let after: Vec<_> = asks.iter().map(|ask| self.outcome(ask)).collect();
        let (mut wrong, mut used) = (String::new(), BTreeSet::new());
        for ((ask, before), came) in asks.iter().zip(before).zip(after) {
            let mut owed = before.clone();
            for difference in differences {
                let unchanged = owed.clone();
                (difference.owed)(ask, &mut owed);
                if owed != unchanged {
                    used.insert(difference.reason);
                }
            }
            if came != owed {
                let _ = writeln!(
                    wrong,
                    "{}\n  before {before:?}\n  owed   {owed:?}\n  came   {came:?}",
                    ask.name
                );
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        let idle: Vec<_> =
            differences.iter().map(|one| one.reason).filter(|reason| !used.contains(reason)).collect();
        assert!(idle.is_empty(), "nothing differs for these reasons: {idle:?}");
        migration
    }

    /// Without what is of one request alone.
    fn outcome(&self, ask: &Ask) -> Outcome {
        let mut outcome = self.ask(&ask.bytes);
        if let Some(answer) = &mut outcome.answer {
            let id = std::mem::take(&mut answer.request_id);
            // What the upstream answers tells of the connection; what it heard is compared itself.
            answer.body =
                if outcome.upstream.is_some() { String::new() } else { answer.body.replace(&id, "<id>") };
            let passing = |name: &str| {
                PASSING.contains(&name.to_ascii_lowercase().as_str())
                    || outcome.upstream.is_some() && name.eq_ignore_ascii_case("content-length")
            };
            answer.headers.retain(|(name, _)| !passing(name));
            answer.headers.sort();
        }
        if let Some(heard) = &mut outcome.upstream {
            heard.headers.retain(|(name, _)| name != "x-kong-request-id");
            heard.headers.sort();
        }
        outcome
    }
}

/// Headers of an answer that are of one request alone.
const PASSING: [&str; 5] = [
    "date",
    "x-kong-proxy-latency",
    "x-kong-request-id",
    "x-kong-response-latency",
    "x-kong-upstream-latency",
];
