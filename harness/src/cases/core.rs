//! The policy's core alone, asked as a gateway is.
//!
//! What the core decides is carried out here as a gateway would, so that the same is owed of it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use mtls_policy::policy::{
    Allow, Certificate, Decision, Edit, Established, Format, Policy, Refusal, Request as View, Target,
};

use super::http::HOST;
use super::{Answer, Heard, Outcome, Request};
use crate::stack::Keys;

/// A request with keys in their places, as the upstream would receive it.
pub struct Filled {
    pub method: Vec<u8>,
    pub authority: Vec<u8>,
    /// Path and query.
    pub target: Vec<u8>,
    /// All but `Host`, which hosts show apart from the others.
    pub headers: Headers,
    pub established: Option<super::Established>,
    /// Seconds since 1970.
    pub now: i64,
}

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

impl Filled {
    /// # Errors
    /// The system gives no random bytes for a key.
    pub fn of(request: &Request, keys: &Keys) -> anyhow::Result<Self> {
        let mut authority = HOST.as_bytes().to_vec();
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let (name, value) = (name.fill(keys, "")?, value.fill(keys, "")?);
            match name.eq_ignore_ascii_case(b"host") {
                true => authority = value,
                false => headers.push((name, value)),
            }
        }
        Ok(Self {
            method: request.method.fill(keys, "")?,
            authority,
            target: request.received.fill(keys, "")?,
            headers,
            established: request.established.clone(),
            now: request.now.unwrap_or_else(present),
        })
    }

    /// What a policy says to it. This alone knows how the core wants to be asked.
    pub fn decide<'a>(
        &'a self,
        policy: &'a Policy,
        established: Option<&'a Established<'a>>,
    ) -> Decision<'a> {
        policy.decide(View {
            method: &self.method,
            authority: &self.authority,
            target: Target::of(&self.target),
            headers: self.headers(),
            body: &[],
            established,
            now: self.now,
        })
    }

    /// Whom the gateway has established, as the core sees him.
    pub fn established(&self) -> Option<Established<'_>> {
        self.established.as_ref().map(|who| Established {
            id: Some(&who.id),
            username: Some(&who.username),
            custom_id: who.custom_id.as_deref(),
            credential: Some(&who.credential),
            groups: who.groups.iter().map(String::as_str).collect(),
        })
    }

    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }
}

/// What becomes of the request where these client certificates are in force.
///
/// # Errors
/// The policy is not valid, or the system gives no random bytes for a key.
pub fn ask(policy: &str, request: &Request, certificates: &[&str], keys: &Keys) -> anyhow::Result<Outcome> {
    let policy = Policy::compile(keys.put_into(policy)?.as_bytes())
        .map_err(|problems| anyhow!("the policy is not valid: {problems}"))?;
    Ok(outcome(&policy, &Filled::of(request, keys)?, certificates))
}

/// Likewise of a policy that is compiled.
pub fn outcome(policy: &Policy, filled: &Filled, certificates: &[&str]) -> Outcome {
    let established = filled.established();
    let refused =
        |refusal: &Refusal<'_>| Outcome { answer: Some(told(refusal, filled)), ..Outcome::default() };
    match filled.decide(policy, established.as_ref()) {
        Decision::Refuse(refusal) => refused(&refusal),
        Decision::Allow(Allow { certificate, edits, .. }) => match certificate {
            Certificate::Present(name) if !certificates.contains(&name.as_str()) => {
                refused(&Refusal::not_in_force(name.as_str(), "unknown".to_owned()))
            }
            certificate => {
                let mut headers = filled.headers.clone();
                for edit in &edits.headers {
                    carry_out(edit, &mut headers);
                }
                if let Some(cookies) = &edits.cookies {
                    headers.push((b"Cookie".to_vec(), cookies.clone()));
                }
                let target = edits.target.as_ref().unwrap_or(&filled.target);
                Outcome { upstream: Some(heard(filled, certificate, target, &headers)), ..Outcome::default() }
            }
        },
    }
}

fn told(refusal: &Refusal<'_>, request: &Filled) -> Answer {
    let format = Format::preferred(request.headers(), false);
    let mut headers = vec![("Content-Type".to_owned(), format.content_type().to_owned())];
    headers.extend(refusal.challenge.map(|challenge| ("WWW-Authenticate".to_owned(), challenge.to_owned())));
    Answer {
        status: refusal.status,
        headers,
        body: refusal.body(format, REQUEST_ID),
        request_id: REQUEST_ID.to_owned(),
    }
}

fn carry_out(edit: &Edit<'_>, headers: &mut Headers) {
    let mut remove = |name: &[u8]| headers.retain(|(each, _)| !each.eq_ignore_ascii_case(name));
    match edit {
        Edit::Remove(name) => remove(name),
        Edit::Set(name, value) => {
            remove(name.as_str().as_bytes());
            headers.push((name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
}

fn heard(filled: &Filled, certificate: Certificate<'_>, target: &[u8], headers: &Headers) -> Heard {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Heard {
        certificate: match certificate {
            Certificate::Present(name) => Some(name.as_str().to_owned()),
            Certificate::Unchanged => None,
        },
        method: lossy(&filled.method),
        uri: lossy(target),
        headers: headers.iter().map(|(name, value)| (lossy(name), lossy(value))).collect(),
    }
}

fn present() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// By what the core is told to know every request.
const REQUEST_ID: &str = "4711";
