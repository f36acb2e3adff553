//! A request as Lua hands it over.
#![allow(unsafe_code)]

use mtls_policy::policy;

use crate::text::{self, Field, Malformed, Text};

/// A request. What the policy does not want may be absent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub method: Text,
    pub authority: Text,
    /// As the upstream will receive it, without the query.
    pub path: Text,
    /// Without `?`; absent where there is no `?`.
    pub query: Text,
    pub headers: *const Field,
    pub headers_len: usize,
    pub body: *const Field,
    pub body_len: usize,
    /// The consumer that the gateway's own authentication has established; null: none. A policy that wants `anonymous`
    /// keeps it: there it may be set only where a credential was established too.
    pub established: *const Established,
    /// Seconds since 1970.
    pub now: i64,
}

/// A consumer whom the gateway's own authentication has established.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Established {
    pub id: Text,
    pub username: Text,
    pub custom_id: Text,
    /// The credential's id.
    pub credential: Text,
    /// One a line.
    pub groups: Text,
}

impl Request {
    /// # Safety
    /// As for [`lend`](Self::lend).
    pub(crate) unsafe fn headers<'a>(&self) -> Result<Headers<'a>, Malformed> {
        // SAFETY: the caller's promise is the same.
        Ok(Headers(unsafe { text::fields(self.headers, self.headers_len) }?.iter()))
    }

    /// Lends the request to the core for one decision.
    ///
    /// # Safety
    /// Every pointer in the request is null or points to what its field says, as long as its length says, and nobody
    /// changes that while `'a` lasts.
    pub(crate) unsafe fn lend<'a, T>(
        &self,
        decide: impl FnOnce(policy::Request<'a, Headers<'a>>) -> T,
        store: &'a mut Store<'a>,
    ) -> Result<T, Malformed> {
        // SAFETY: all of it by the caller's promise, which is that of each function called here.
        unsafe {
            let headers = self.headers()?;
            store.body.extend(text::fields(self.body, self.body_len)?.iter().map(|field| field.pair()));
            store.established =
                self.established.as_ref().map(|established| established.lend()).transpose()?;
            Ok(decide(policy::Request {
                method: self.method.bytes()?,
                authority: self.authority.bytes()?,
                target: policy::Target { path: self.path.bytes()?, query: self.query.get()? },
                headers,
                body: &store.body,
                established: store.established.as_ref(),
                now: self.now,
            }))
        }
    }
}

/// What of a request has another form in the core, kept for as long as its decision. Empty for most requests.
#[derive(Default)]
pub(crate) struct Store<'a> {
    body: Vec<policy::Header<'a>>,
    established: Option<policy::Established<'a>>,
}

impl Established {
    /// # Safety
    /// As for [`Request::lend`].
    unsafe fn lend<'a>(&self) -> Result<policy::Established<'a>, Malformed> {
        // SAFETY: the caller's promise is that of each function called here.
        unsafe {
            Ok(policy::Established {
                id: self.id.str()?,
                username: self.username.str()?,
                custom_id: self.custom_id.str()?,
                credential: self.credential.str()?,
                groups: match self.groups.str()? {
                    Some(lines) => lines.split('\n').filter(|group| !group.is_empty()).collect(),
                    None => Vec::new(),
                },
            })
        }
    }
}

/// The headers of a request that is being decided about. Only [`Request::headers`] makes them, under its promise.
pub(crate) struct Headers<'a>(std::slice::Iter<'a, Field>);

impl<'a> Iterator for Headers<'a> {
    type Item = policy::Header<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the fields are those that `Request::headers` was promised to be valid for 'a.
        self.0.next().map(|field| unsafe { field.pair() })
    }
}
