//! What filters have to do with one request.

use ::log::Level;
use http::{Response, StatusCode, request};

use super::body::full;
use super::failure::{Failed, Failure};
use super::headers;
use super::properties::RequestProperties;
use super::upstream::Body;
use super::wasm::{LocalResponse, Outcome, Properties, Root, Stream};
use kong_config::uri::Target;

/// A request on its way through the filters of its route. Without any, nothing is made ready for them.
pub(super) struct Filtering(Option<Stream>);

impl Filtering {
    pub(super) fn start(chain: &[Root]) -> Self {
        Self((!chain.is_empty()).then(|| Stream::start(chain)))
    }

    /// Lets the filters see the request and change it. `Some`: a filter answers it. `server` is what they take for the
    /// authority.
    ///
    /// # Errors
    /// A filter trapped, or wrote what is no HTTP.
    pub(super) fn request(
        &mut self,
        head: &mut request::Parts,
        target: &Target,
        server: &str,
        properties: &mut RequestProperties<'_>,
    ) -> Result<Option<Response<Body>>, Failed> {
        let Some(stream) = &mut self.0 else { return Ok(None) };
        let mut shown = headers::to_wasm(&head.headers, head.method.as_str(), &target.for_filter(), server);
        match stream.request_headers(&mut shown, properties) {
            Ok(Outcome::Continue) => {
                let written = headers::from_wasm(shown)
                    .ok_or_else(|| Failed::new(Failure::FilterTrapped, "a filter wrote what is no header"))?;
                headers::take_over(&mut head.headers, written, &properties.cleared);
                Ok(None)
            }
            Ok(Outcome::Respond(answer)) => answered(answer).map(Some),
            Err(trap) => Err(Failed::new(Failure::FilterTrapped, trap)),
        }
    }

    /// Lets the filters see the response's headers and change them. One that fails here fails in the log
    /// only: Kong was seen to send the response all the same.
    pub(super) fn response(self, response: &mut Response<Body>, properties: &mut RequestProperties<'_>) {
        let Some(mut stream) = self.0 else { return };
        let mut shown = headers::response_to_wasm(response.headers(), response.status().as_u16());
        let filtered = stream.response_headers(&mut shown, properties);
        stream.finish();
        match filtered.map(|()| headers::from_wasm(shown)) {
            Ok(Some(written)) => *response.headers_mut() = written,
            Ok(None) => properties.log(Level::Error, "a filter", "wrote what is no header"),
            Err(trap) => properties.log(Level::Error, "a filter", &trap.to_string()),
        }
    }
}

fn answered(mut answer: LocalResponse) -> Result<Response<Body>, Failed> {
    // As ngx_wasm_module does (ngx_http_wasm_local_response.c).
    if !answer.body.is_empty() {
        answer.body.push(b'\n');
    }
    let invalid = || Failed::new(Failure::FilterTrapped, "a filter answered with what is no response");
    let mut response = Response::new(full(answer.body.into()));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| invalid())?;
    *response.headers_mut() = headers::from_wasm(answer.headers).ok_or_else(invalid)?;
    headers::strip_hop_by_hop(response.headers_mut());
    Ok(response)
}
