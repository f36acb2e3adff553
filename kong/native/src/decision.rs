//! A decision as Lua reads it.

use std::cell::RefCell;
use std::fmt::Write;

use mtls_policy::policy;

use crate::Text;

/// What becomes of a request. What it points to is valid as long as the policy and the request, and until this thread's
/// next decision.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// 0: it passes. Else it is refused with this status.
    pub status: u16,
    /// As whom it passes: 0 nobody (a preflight), 1 one of the policy's consumers, 2 its anonymous consumer, 3 whom the
    /// gateway has established.
    pub caller: u8,
    /// Whether the fields of the keys have to be taken out of the body.
    pub hide_in_body: bool,
    /// Which identity headers have to be set, a bit each: `1 << n` for the n-th of `X-Consumer-ID`,
    /// `X-Consumer-Custom-ID`, `X-Consumer-Username`, `X-Credential-Identifier`, `X-Anonymous-Consumer`.
    pub set: u8,
    /// A number for the consumer and its key, the same in every decision of one policy: what is made of them once can be
    /// found again by it.
    pub holder: usize,
    pub id: Text,
    pub custom_id: Text,
    pub username: Text,
    /// Id of the key, or of the gateway's credential.
    pub credential: Text,
    /// Groups of one of the policy's own consumers, one a line.
    pub groups: Text,
    /// Name of the client certificate to present; absent: the upstream's own setting stays.
    pub certificate: Text,
    /// The query without hidden keys; absent: it stays as it is.
    pub query: Text,
    /// The header `Cookie` without hidden keys, to be set after it was removed; absent: nothing is to be set.
    pub cookies: Text,
    /// What a client that is refused is told.
    pub message: Text,
    /// `WWW-Authenticate`.
    pub challenge: Text,
    /// Why it is refused, for the log.
    pub reason: Text,
    /// Where names of headers go that have to be taken away: room for as many as the request has headers. In and out.
    pub removed: *mut Text,
    pub removed_capacity: usize,
    pub removed_len: usize,
}

const NOBODY: u8 = 0;
const CONSUMER: u8 = 1;
const ANONYMOUS: u8 = 2;
const ESTABLISHED: u8 = 3;

/// What a decision points to and nobody else owns, until the thread's next one.
#[derive(Default)]
struct Scratch {
    reason: String,
    groups: String,
    query: Vec<u8>,
    cookies: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Decision {
    /// No, with nothing else said; what was there before is gone, but for the room for removed headers.
    pub(crate) fn refuse_blindly(&mut self) {
        *self = Self {
            status: 503,
            caller: NOBODY,
            hide_in_body: false,
            set: 0,
            holder: 0,
            id: Text::ABSENT,
            custom_id: Text::ABSENT,
            username: Text::ABSENT,
            credential: Text::ABSENT,
            groups: Text::ABSENT,
            certificate: Text::ABSENT,
            query: Text::ABSENT,
            cookies: Text::ABSENT,
            message: Text::of(policy::Refusal::NO_POLICY.message.as_bytes()),
            challenge: Text::ABSENT,
            reason: Text::ABSENT,
            removed: self.removed,
            removed_capacity: self.removed_capacity,
            removed_len: 0,
        };
    }

    pub(crate) fn refuse(&mut self, refusal: &policy::Refusal<'_>) {
        self.refuse_because(refusal.status, &refusal.reason);
        self.message = Text::of(refusal.message.as_bytes());
        self.challenge = optional(refusal.challenge);
    }

    pub(crate) fn refuse_because(&mut self, status: u16, reason: &dyn std::fmt::Display) {
        self.refuse_blindly();
        self.status = status;
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.reason.clear();
            // Writing into a string does not fail.
            let _ = write!(scratch.reason, "{reason}");
            self.reason = Text::of(scratch.reason.as_bytes());
        });
    }

    /// # Safety
    /// There is room for `removed_capacity` texts at `removed`.
    pub(crate) unsafe fn allow(&mut self, allow: &policy::Allow<'_>, path_len: usize) {
        self.refuse_blindly();
        self.name(&allow.caller);
        if let policy::Certificate::Present(name) = allow.certificate {
            self.certificate = Text::of(name.as_str().as_bytes());
        }
        self.hide_in_body = allow.edits.hide_in_body;
        if let Some(target) = &allow.edits.target {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.query.clear();
                scratch.query.extend_from_slice(target.get(path_len + 1..).unwrap_or_default());
                self.query = Text::of(&scratch.query);
            });
        }
        if let Some(cookies) = &allow.edits.cookies {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.cookies.clone_from(cookies);
                self.cookies = Text::of(&scratch.cookies);
            });
        }
        for edit in &allow.edits.headers {
            match edit {
                policy::Edit::Set(header, _) => self.set |= 1 << *header as u8,
                policy::Edit::Remove(name) => {
                    if self.removed.is_null() || self.removed_len >= self.removed_capacity {
                        return self.refuse(&policy::Refusal::CANNOT_CLEAR);
                    }
                    // SAFETY: `removed_len` is within the room that the caller promises.
                    unsafe { self.removed.add(self.removed_len).write(Text::of(name)) };
                    self.removed_len += 1;
                }
            }
        }
        // Last: whatever ended early is a refusal.
        self.status = 0;
    }

    /// A certificate, and nothing else.
    pub(crate) fn select(&mut self, certificate: policy::Certificate<'_>) {
        self.refuse_blindly();
        if let policy::Certificate::Present(name) = certificate {
            self.certificate = Text::of(name.as_str().as_bytes());
        }
        self.status = 0;
    }

    fn name(&mut self, caller: &policy::Caller<'_>) {
        match caller {
            policy::Caller::Anonymous(consumer) => {
                self.caller = ANONYMOUS;
                self.holder = address(*consumer);
                self.consumer(consumer);
            }
            policy::Caller::Consumer(consumer, key) => {
                self.caller = CONSUMER;
                self.holder = address(*key);
                self.consumer(consumer);
                self.credential = Text::of(key.id.as_bytes());
            }
            policy::Caller::Established(established) => {
                self.caller = ESTABLISHED;
                self.id = optional(established.id);
                self.custom_id = optional(established.custom_id);
                self.username = optional(established.username);
                self.credential = optional(established.credential);
            }
            policy::Caller::Nobody => {}
        }
    }

    fn consumer(&mut self, consumer: &policy::Consumer) {
        self.id = optional(consumer.id());
        self.custom_id = optional(consumer.custom_id());
        self.username = Text::of(consumer.username.as_bytes());
        if !consumer.groups.is_empty() {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.groups.clear();
                for group in &consumer.groups {
                    scratch.groups.push_str(group);
                    scratch.groups.push('\n');
                }
                self.groups = Text::of(scratch.groups.as_bytes());
            });
        }
    }
}

fn optional(text: Option<&str>) -> Text {
    text.map_or(Text::ABSENT, |text| Text::of(text.as_bytes()))
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}
