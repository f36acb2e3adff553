//! The policy's core, natively.

use anyhow::Context;
use mtls_policy::policy::Policy;

use super::{Asked, CERTIFICATES, Host, Shown};
use crate::cases::{self, Case, Mistake};
use crate::stack::Keys;

#[derive(Default)]
pub(super) struct Core {
    keys: Keys,
}

impl Host for Core {
    fn name(&self) -> &'static str {
        "core"
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn ask(&self, case: &Case) -> anyhow::Result<Asked> {
        let policy = case.policy.as_ref().context("a case has no policy")?.to_string();
        let asked = cases::core::ask(&policy, &case.request, &CERTIFICATES, &self.keys);
        asked.map(Asked::Came).with_context(|| case.name.clone())
    }

    fn show(&self, mistake: &Mistake) -> anyhow::Result<Shown> {
        let document = self.keys.put_into(&mistake.document)?;
        Ok(match Policy::compile(document.as_bytes()) {
            Ok(_) => Shown::Accepted,
            Err(problems) => Shown::Problems(problems.iter().map(ToString::to_string).collect()),
        })
    }
}
