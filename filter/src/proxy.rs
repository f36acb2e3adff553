//! The proxy-wasm filter: what the host calls, and what the policy says to it.
// Its entry points are exported by name, which counts as unsafe.
#![allow(unsafe_code)]

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{error, info};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, Status};

use crate::host::{self, Exchange};
use crate::policy::{Certificate, Decision, Policy, Refusal};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { policy: None }));
}}

/// One configuration of the filter.
struct Root {
    /// The last good one.
    policy: Option<Rc<Policy>>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Takes a policy over, or names every problem in it.
    ///
    /// A host that has been served is told that an invalid policy is refused, and keeps what it had. One that is only
    /// starting is not: Kong 3.9.1 would serve on without any filter on any route. There the policy's routes refuse
    /// everything, and the others are let alone.
    fn on_configure(&mut self, size: usize) -> bool {
        let document = match hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size) {
            Ok(document) => document.unwrap_or_default(),
            Err(status) => {
                error!("the host does not hand over the policy: {status:?}");
                return false;
            }
        };
        match Policy::compile(&document) {
            Ok(policy) => {
                self.policy = Some(Rc::new(policy));
                true
            }
            Err(problems) => {
                problems.iter().for_each(|problem| error!("{problem}"));
                !SERVED.load(Ordering::Relaxed)
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        SERVED.store(true, Ordering::Relaxed);
        Some(Box::new(Http { policy: self.policy.clone() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Whether there has been a request for any configuration of the filter: all of them share one memory.
static SERVED: AtomicBool = AtomicBool::new(false);

/// One request.
struct Http {
    policy: Option<Rc<Policy>>,
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let outcome = match &self.policy {
            Some(policy) => serve(policy),
            None => refuse_blindly(),
        };
        outcome.unwrap_or_else(|status| {
            error!("the host failed ({status:?}); the request is refused");
            // If even that fails there is nothing left but to stay paused.
            let _ = refuse_blindly();
            Action::Pause
        })
    }
}

fn serve(policy: &Policy) -> Result<Action, Status> {
    let exchange = Exchange::read(policy.asks_the_gateway())?;
    let established = exchange.established();
    let allow = match policy.decide(exchange.request(established.as_ref())) {
        Decision::Allow(allow) => allow,
        Decision::Refuse(refusal) => return refuse(&exchange, &refusal),
    };
    if !exchange.can_apply(&allow.edits)? {
        return refuse(&exchange, &Refusal::CANNOT_CLEAR);
    }
    if let Certificate::Present(name) = allow.certificate {
        if let Err(because) = exchange.is_in_force(name)? {
            return refuse(&exchange, &Refusal::not_in_force(name.as_str(), because));
        }
    }
    exchange.select(allow.certificate)?;
    exchange.apply(&allow.edits)?;
    Ok(Action::Continue)
}

fn refuse(exchange: &Exchange, refusal: &Refusal<'_>) -> Result<Action, Status> {
    match refusal.status {
        503 => error!("503: {}", refusal.reason),
        status => info!("{status}: {}", refusal.reason),
    }
    exchange.refuse(refusal)?;
    Ok(Action::Pause)
}

fn refuse_blindly() -> Result<Action, Status> {
    host::refuse_unread(&Refusal::NO_POLICY)?;
    Ok(Action::Pause)
}
