//! A refusal's body, where its words need escaping: Kong's own `kong.response.error` puts them in as they are.

use std::cell::RefCell;

use mtls_policy::policy::{Format, Header, Reason, Refusal};

use crate::Text;

/// What a refused client is sent. Valid until this thread's next one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Absent for gRPC, which has no body.
    pub content_type: Text,
    pub body: Text,
}

thread_local! {
    static BODY: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Answer {
    pub(crate) const NOTHING: Self = Self { content_type: Text::ABSENT, body: Text::ABSENT };

    pub(crate) fn of<'h>(
        message: &str,
        request_id: &str,
        headers: impl Iterator<Item = Header<'h>>,
        http2: bool,
    ) -> Self {
        let format = Format::preferred(headers, http2);
        if format == Format::Grpc {
            return Self::NOTHING;
        }
        // Of a refusal only its words are in the body.
        let refusal = Refusal { status: 403, message, challenge: None, reason: Reason::NoKey };
        BODY.with_borrow_mut(|body| {
            *body = refusal.body(format, request_id);
            Self { content_type: Text::of(format.content_type().as_bytes()), body: Text::of(body.as_bytes()) }
        })
    }
}
