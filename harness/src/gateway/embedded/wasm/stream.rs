//! One request on its way through a chain of filters.

use super::calls::Calls;
use super::roots::{Context, Leaving, Root};
use super::vm::Subject;
use super::{Headers, LocalResponse, Outcome, Properties, Trap};

/// One request. Dropped without [`Stream::finish`], as when a client goes away, it is finished later.
pub struct Stream {
    filters: Vec<Passage>,
    calls: Calls,
}

/// A filter of the chain, and its context once the request has come to it.
struct Passage {
    root: Root,
    context: Option<Context>,
}

impl Stream {
    /// A request for these filters, in the order in which they see it.
    #[must_use]
    pub fn start<'a>(chain: impl IntoIterator<Item = &'a Root>) -> Self {
        let passage = |root: &Root| Passage { root: root.clone(), context: None };
        Self { filters: chain.into_iter().map(passage).collect(), calls: Calls::default() }
    }

    /// Shows the request's headers to one filter after the other, until one answers the request itself.
    ///
    /// # Errors
    /// A filter traps, or pauses without an answer: on this gateway nothing could resume it.
    pub fn request_headers(
        &mut self,
        headers: &mut Headers,
        properties: &mut dyn Properties,
    ) -> Result<Outcome, Trap> {
        for passage in &mut self.filters {
            if let Some(reply) = passage.request_headers(headers, properties, &mut self.calls)? {
                return Ok(Outcome::Respond(reply));
            }
        }
        Ok(Outcome::Continue)
    }

    /// Shows the response's headers to the filters that saw the request, in the same order, as ngx_wasm_module does.
    ///
    /// # Errors
    /// A filter traps, or pauses. Kong was seen to send the response all the same.
    pub fn response_headers(
        &mut self,
        headers: &mut Headers,
        properties: &mut dyn Properties,
    ) -> Result<(), Trap> {
        let calls = &mut self.calls;
        self.filters.iter().try_for_each(|passage| passage.response_headers(headers, properties, calls))
    }

    /// The host calls that the filters have made so far, with how often.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        self.calls.iter()
    }

    /// Ends the request; a filter that traps here is logged.
    pub fn finish(mut self) {
        for Passage { root, context } in &mut self.filters {
            if let Some(context) = context.take() {
                root.shared().enter().end_context(context);
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        for Passage { root, context } in &self.filters {
            if let Some(context) = *context {
                root.shared().leave(Leaving::Request(context));
            }
        }
    }
}

impl Passage {
    fn request_headers(
        &mut self,
        headers: &mut Headers,
        properties: &mut dyn Properties,
        calls: &mut Calls,
    ) -> Result<Option<LocalResponse>, Trap> {
        let mut slot = self.root.shared().enter();
        let subject = Subject { config: self.root.config(), headers, properties, calls };
        let (context, verdict) = slot.request_headers(&self.root, subject)?;
        self.context = Some(context);
        match verdict.reply {
            None if !verdict.goes_on => Err(slot.paused("proxy_on_request_headers")),
            reply => Ok(reply),
        }
    }

    fn response_headers(
        &self,
        headers: &mut Headers,
        properties: &mut dyn Properties,
        calls: &mut Calls,
    ) -> Result<(), Trap> {
        let Some(context) = self.context else { return Ok(()) };
        let mut slot = self.root.shared().enter();
        let subject = Subject { config: self.root.config(), headers, properties, calls };
        if slot.response_headers(context, subject)? {
            Ok(())
        } else {
            Err(slot.paused("proxy_on_response_headers"))
        }
    }
}
