//! A policy's rules, asked one by one: by the filter's own core, of policies that hold no more than what is asked.
//!
//! The core says of a denial which rule it is of. So every rule is asked about as a denial, and every condition as a
//! rule of its own: nothing here knows what a condition means.

use anyhow::anyhow;
use mtls_policy::policy::{Certificate, Decision, Established, Policy, Reason, Request as Asked, Target};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What rules look at, but for who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub host: String,
    /// What the upstream will receive: path, and query if there is one.
    pub target: String,
    pub headers: Vec<(String, String)>,
}

/// Who is asking, as rules see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// `None`: nobody, as in a preflight that nobody is asked about.
    pub username: Option<String>,
    pub groups: Vec<String>,
}

/// What rules say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The path can be read in more than one way, and a rule asks for the path.
    AmbiguousPath,
    /// None matches.
    Default,
    /// The first that matches.
    Rule(usize),
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Passes under this client certificate.
    Present(String),
    /// Refused, with a status and what the client is told.
    Refused { status: u16, message: String, reason: String },
    /// Passes under whatever the upstream's own setting is.
    Unchanged,
}

impl Outcome {
    pub(super) fn of(decision: &Decision<'_>) -> Self {
        match decision {
            Decision::Allow(allow) => match allow.certificate {
                Certificate::Present(name) => Self::Present(name.as_str().to_owned()),
                Certificate::Unchanged => Self::Unchanged,
            },
            Decision::Refuse(refusal) => Self::Refused {
                status: refusal.status,
                message: refusal.message.to_owned(),
                reason: refusal.reason.to_string(),
            },
        }
    }
}

/// A policy's rules, taken apart.
pub struct Rules {
    /// As they are, but for authentication.
    decide: Policy,
    /// Each as a denial.
    all: Policy,
    each: Vec<Vec<Condition>>,
}

/// One condition of a rule.
pub struct Condition {
    /// As it is written in `match`.
    pub field: String,
    /// What it is written to be.
    pub wanted: Value,
    alone: Policy,
}

impl Rules {
    /// The rules of a valid policy, given as JSON.
    ///
    /// # Errors
    /// It is not valid.
    pub fn of(policy: &Value) -> anyhow::Result<Self> {
        let empty = Vec::new();
        let rules = policy.get("rules").and_then(Value::as_array).unwrap_or(&empty);
        let matches = || rules.iter().map(|rule| rule.get("match").cloned().unwrap_or_default());
        let each = matches().map(|conditions| conditions_of(&conditions)).collect::<Result<_, _>>()?;
        let decide = json!({
            "authentication": "gateway",
            "client_certificate": policy.get("client_certificate"),
            "rules": rules,
        });
        Ok(Self { decide: compiled(&decide)?, all: compile(matches())?, each })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.each.len()
    }

    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// What becomes of a request of somebody who is let in.
    pub fn outcome(&self, who: &Who, request: &Request) -> Outcome {
        Outcome::of(&request.put_to(&self.decide, Some(&who.established()), &[], 0))
    }

    /// Which of them decides.
    pub fn verdict(&self, who: &Who, request: &Request) -> Verdict {
        ask(&self.all, who, request)
    }

    /// The conditions of one, and whether each holds.
    pub fn conditions(
        &self,
        rule: usize,
        who: &Who,
        request: &Request,
    ) -> impl Iterator<Item = (&Condition, bool)> {
        let conditions = self.each.get(rule).map(Vec::as_slice).unwrap_or_default();
        conditions.iter().map(|one| (one, ask(&one.alone, who, request) == Verdict::Rule(0)))
    }
}

fn conditions_of(conditions: &Value) -> anyhow::Result<Vec<Condition>> {
    let fields = conditions.as_object().cloned().unwrap_or_default();
    // Kong fills in nulls, and an empty mapping of headers is no condition.
    let given = fields.into_iter().filter(|(_, wanted)| !wanted.is_null() && *wanted != json!({}));
    given
        .map(|(field, wanted)| {
            let alone = Map::from_iter([(field.clone(), wanted.clone())]);
            Ok(Condition { alone: compile([Value::Object(alone)])?, field, wanted })
        })
        .collect()
}

/// Rules with these conditions, each a denial. The gateway says who is asking, so that consumers need not be known.
fn compile(matches: impl IntoIterator<Item = Value>) -> anyhow::Result<Policy> {
    let rules = matches.into_iter().map(|conditions| json!({ "match": conditions, "deny": {} }));
    compiled(&json!({ "authentication": "gateway", "rules": rules.collect::<Vec<_>>() }))
}

fn compiled(policy: &Value) -> anyhow::Result<Policy> {
    Policy::compile(policy.to_string().as_bytes()).map_err(|problems| anyhow!("{problems}"))
}

fn ask(policy: &Policy, who: &Who, request: &Request) -> Verdict {
    let established = who.established();
    match request.put_to(policy, Some(&established), &[], 0) {
        Decision::Refuse(refusal) => match refusal.reason {
            Reason::Denied { rule } => Verdict::Rule(rule),
            _ => Verdict::AmbiguousPath,
        },
        Decision::Allow(_) => Verdict::Default,
    }
}

impl Who {
    /// As the gateway's own authentication would have established it. The core wants an id or a name of everybody.
    pub(super) fn established(&self) -> Established<'_> {
        Established {
            id: Some("-"),
            username: self.username.as_deref(),
            groups: self.groups.iter().map(String::as_str).collect(),
            ..Established::default()
        }
    }
}

impl Request {
    /// Without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Asks a policy, with more headers than the request's own: those that hold a key.
    pub(super) fn put_to<'a>(
        &'a self,
        policy: &'a Policy,
        established: Option<&'a Established<'a>>,
        more: &'a [(&'a [u8], &'a [u8])],
        now: i64,
    ) -> Decision<'a> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        policy.decide(Asked {
            method: self.method.as_bytes(),
            authority: self.host.as_bytes(),
            target: Target::of(self.target.as_bytes()),
            headers: headers.chain(more.iter().copied()),
            body: &[],
            established,
            now,
        })
    }
}
