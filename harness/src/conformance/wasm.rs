//! The module as it ships, in wasmtime and with a clock that can be set, but without a gateway around it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

use super::{Asked, CERTIFICATES, Host, Shown};
use crate::cases::core::Filled;
use crate::cases::{Answer, Case, Heard, Mistake, Outcome};
use crate::gateway;
use crate::gateway::embedded::wasm::{
    self, Filters, Headers, LocalResponse, Properties, Root, Stream, Unsettable, Worker,
};
use crate::stack::Keys;

/// The module, configured anew for each policy that is met.
pub struct Module {
    keys: Keys,
    worker: Worker,
    roots: RefCell<HashMap<String, Root>>,
}

impl Module {
    /// The one of `make filter`.
    ///
    /// # Errors
    /// There is no module, or it does not run.
    pub fn load() -> anyhow::Result<Self> {
        let filters = Filters::load(&gateway::filters()?)?;
        Ok(Self {
            keys: Keys::default(),
            worker: Worker::new(&filters, Kong::default()),
            roots: RefCell::default(),
        })
    }

    /// What becomes of a request under a policy.
    ///
    /// # Errors
    /// The policy is not valid, or the filter traps.
    pub fn outcome(&self, policy: &str, filled: &Filled) -> anyhow::Result<Outcome> {
        let root = self.root(policy)?;
        let mut kong = Kong::of(filled)?;
        let received = headers(filled);
        let mut written = received.clone();
        let mut stream = Stream::start([&root]);
        let outcome = stream.request_headers(&mut written, &mut kong).map_err(|trap| anyhow!("{trap}"))?;
        stream.finish();
        Ok(match outcome {
            wasm::Outcome::Respond(response) => {
                Outcome { answer: Some(answer(response)), ..Outcome::default() }
            }
            wasm::Outcome::Continue => {
                Outcome { upstream: Some(kong.forward(filled, &received, &written)), ..Outcome::default() }
            }
        })
    }

    fn root(&self, policy: &str) -> anyhow::Result<Root> {
        let document = self.keys.put_into(policy)?;
        if let Some(root) = self.roots.borrow().get(&document) {
            return Ok(root.clone());
        }
        let root = self.worker.configure(FILTER, document.clone().into_bytes())?;
        self.roots.borrow_mut().insert(document, root.clone());
        Ok(root)
    }
}

impl Host for Module {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn ask(&self, case: &Case) -> anyhow::Result<Asked> {
        let policy = case.policy.as_ref().context("a case has no policy")?.to_string();
        self.outcome(&policy, &Filled::of(&case.request, &self.keys)?).map(Asked::Came)
    }

    fn show(&self, mistake: &Mistake) -> anyhow::Result<Shown> {
        let document = self.keys.put_into(&mistake.document)?;
        Ok(match self.worker.configure(FILTER, document.into_bytes()) {
            Ok(_) => Shown::Accepted,
            Err(refused) => Shown::Problems(refused.log.iter().map(|line| problem(line)).collect()),
        })
    }
}

/// A problem without what the filter logs before it on Kong.
fn problem(line: &str) -> String {
    line.strip_prefix("policy invalid, its requests are rejected with status 503: ")
        .unwrap_or(line)
        .to_owned()
}

/// Kong as far as the module asks it.
#[derive(Clone, Default)]
struct Kong {
    upstream_uri: Vec<u8>,
    consumer: HashMap<&'static str, String>,
    now: Option<SystemTime>,
    selected: Option<String>,
    cleared: Vec<u8>,
}

impl Kong {
    fn of(filled: &Filled) -> anyhow::Result<Self> {
        let mut consumer = HashMap::new();
        if let Some(who) = &filled.established {
            consumer.insert("id", who.id.clone());
            consumer.insert("username", who.username.clone());
            consumer.extend(who.custom_id.clone().map(|custom_id| ("custom_id", custom_id)));
            consumer.insert("credential", who.credential.clone());
            consumer.insert("groups", who.groups.join("\n"));
        }
        let seconds = u64::try_from(filled.now).context("before 1970")?;
        Ok(Self {
            upstream_uri: filled.target.clone(),
            consumer,
            now: Some(UNIX_EPOCH + Duration::from_secs(seconds)),
            ..Self::default()
        })
    }

    /// What goes upstream: as it was written, without what was cleared and not written anew.
    fn forward(self, filled: &Filled, received: &Headers, written: &Headers) -> Heard {
        let is_cleared = |name: &[u8]| self.cleared.split(|byte| *byte == b'\n').any(|each| each == name);
        let values = |headers: &Headers, name: &[u8]| -> Vec<Vec<u8>> {
            headers.iter().filter(|(each, _)| each == name).map(|(_, value)| value.clone()).collect()
        };
        let goes = |(name, _): &&(Vec<u8>, Vec<u8>)| {
            let as_received = values(received, name) == values(written, name);
            !(name.starts_with(b":") || is_cleared(name) && as_received)
        };
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = written.iter().filter(goes).map(|(name, value)| (lossy(name), lossy(value)));
        Heard {
            certificate: self.selected,
            method: lossy(&filled.method),
            uri: lossy(&self.upstream_uri),
            headers: headers.collect(),
        }
    }
}

impl Properties for Kong {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        if let Some(field) = path.strip_prefix("kong.client.consumer.") {
            return self.consumer.get(field).map(|value| value.clone().into_bytes());
        }
        if let Some(order) = path.strip_prefix("kong.mtls_policy.allow.") {
            let (certificate, names) = order.split_once('\n').unwrap_or((order, ""));
            if !certificate.is_empty() {
                if !CERTIFICATES.contains(&certificate) {
                    return Some(b"unknown".to_vec());
                }
                self.selected = Some(certificate.to_owned());
            }
            self.cleared = names.into();
            return Some(b"done".to_vec());
        }
        match path {
            "ngx.kong_request_id" => Some(REQUEST_ID.into()),
            "ngx.upstream_uri" => Some(self.upstream_uri.clone()),
            _ => None,
        }
    }

    fn set(&mut self, path: &str, value: &[u8]) -> Result<(), Unsettable> {
        match path {
            "ngx.upstream_uri" => self.upstream_uri = value.to_vec(),
            _ => return Err(Unsettable),
        }
        Ok(())
    }

    fn now(&self) -> SystemTime {
        self.now.unwrap_or_else(SystemTime::now)
    }

    /// Refusals log their reason; here the refusal itself is looked at.
    fn log(&mut self, _: log::Level, _: &str, _: &str) {}
}

/// As Kong shows a request to a filter.
fn headers(filled: &Filled) -> Headers {
    let own: [(&str, &[u8]); 5] = [
        (":method", &filled.method),
        (":path", &filled.target),
        (":authority", b"kong:8000"),
        (":scheme", b"http"),
        ("host", &filled.authority),
    ];
    let own = own.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
    own.into_iter().chain(filled.headers.iter().cloned()).collect()
}

fn answer(response: LocalResponse) -> Answer {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer {
        status: response.status,
        headers: response.headers.iter().map(|(name, value)| (lossy(name), lossy(value))).collect(),
        body: lossy(&response.body),
        request_id: REQUEST_ID.to_owned(),
    }
}

const FILTER: &str = "mtls-policy";

const REQUEST_ID: &str = "4711";
