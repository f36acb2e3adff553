//! From text to consumers.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use mtls_policy::policy::{self, ConsumerConfig};

use crate::content::Content;
use crate::json;
use crate::problem::{Problem, Problems};
use crate::yaml::{self, Findings, MAX_DEPTH, too_deep};

impl Content {
    /// Compiles the consumers.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn consumers(&self) -> Result<policy::Consumers, Problems> {
        self.read(|consumers| policy::Consumers::from_configs(consumers))
    }

    /// Returns the consumers as they are written, after [`consumers`](Self::consumers) has found no problem.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn configs(&self) -> Result<Vec<ConsumerConfig>, Problems> {
        self.read(|consumers| {
            let configs: Vec<_> = consumers.collect();
            policy::Consumers::from_configs(configs.iter().cloned()).map(|_| configs)
        })
    }

    fn read<T>(
        &self,
        compile: impl Fn(&mut dyn Iterator<Item = ConsumerConfig>) -> Result<T, policy::Problems>,
    ) -> Result<T, Problems> {
        if self.is_like_json()
            && let Some(document) = json::Document::parse(&self.text)
        {
            let failed = Cell::new(false);
            let compiled = {
                let mut consumers = document.consumers().map_while(|consumer| {
                    failed.set(failed.get() || consumer.is_none());
                    consumer
                });
                compile(&mut consumers)
            };
            if let Ok(compiled) = compiled
                && !failed.get()
            {
                return Ok(compiled);
            }
        }
        self.read_yaml(compile)
    }

    fn read_yaml<T>(
        &self,
        compile: impl Fn(&mut dyn Iterator<Item = ConsumerConfig>) -> Result<T, policy::Problems>,
    ) -> Result<T, Problems> {
        let findings = RefCell::default();
        let compiled = compile(&mut yaml::Consumers::new(&self.text, &findings, HashSet::new()));
        let Findings { mut problems, is_not_yaml, .. } = findings.into_inner();
        match compiled {
            Ok(compiled) if problems.is_empty() => return Ok(compiled),
            // The core has not seen all of the document.
            _ if is_not_yaml => return Err(self.not_yaml(problems)),
            Ok(_) => {}
            Err(more) => {
                // What could not be read is empty to the core.
                let reported: HashSet<_> = problems.iter().map(|problem| problem.path.clone()).collect();
                let more = self.located(&more).into_iter();
                problems.extend(more.filter(|problem| !reported.contains(&problem.path)));
            }
        }
        Err(Problems::new(problems))
    }

    /// JSON that cannot be read as YAML, such as a pair of escaped surrogates, is reported as JSON; without positions.
    fn not_yaml(&self, problems: Vec<Problem>) -> Problems {
        if !self.is_like_json() {
            return Problems::new(problems);
        }
        if json::depth(&self.text) > MAX_DEPTH {
            return Problem::of_file(too_deep()).into();
        }
        if let Some(error) = json::syntax_error(&self.text) {
            return Problem::of_file(format!("not valid JSON: {error}")).into();
        }
        match policy::Consumers::compile(self.text.as_bytes()) {
            Err(problems) => Problems::new(problems.iter().map(Problem::from).collect()),
            Ok(_) => {
                Problem::of_file("a field is duplicate, or a map stands where a list is expected").into()
            }
        }
    }

    fn is_like_json(&self) -> bool {
        self.text.trim_start().starts_with('{')
    }

    /// The core knows paths only: their positions are found by reading once more.
    fn located(&self, problems: &policy::Problems) -> Vec<Problem> {
        let wanted = problems.iter().map(|problem| problem.path.clone()).collect();
        let findings = RefCell::default();
        yaml::Consumers::new(&self.text, &findings, wanted).for_each(drop);
        let positions = findings.into_inner().positions;
        let located = |problem: &policy::Problem| Problem {
            position: positions.get(&problem.path).copied(),
            ..Problem::from(problem)
        };
        problems.iter().map(located).collect()
    }
}
