//! One filter's virtual machine: its linear memory and what runs in it.

use std::sync::Arc;

use wasmtime::Store;

use super::calls::Calls;
use super::exports::{CONTINUE, Exports, OnHeaders, export};
use super::filters::Filter;
use super::host::{Host, PROPERTIES, Step};
use super::{Headers, LocalResponse, Properties};

/// The state of a module in one worker. After an error it must not be entered again: its memory may be in any state.
pub(super) struct Vm {
    store: Store<Host>,
    exports: Exports,
    ids: Ids,
    roots: Vec<u32>,
    /// The callback that runs, or ran last.
    callback: &'static str,
    ticks: Ticks,
}

/// How long a callback may run, in ticks of the engine's epoch.
struct Ticks {
    request: u64,
    configure: u64,
}

/// What a filter made of a request's headers.
pub(super) struct Verdict {
    pub(super) reply: Option<LocalResponse>,
    /// It did not ask for a pause.
    pub(super) goes_on: bool,
}

/// What a callback of a request gets to work on; the filter's changes are in it afterwards, also after an error.
pub(super) struct Subject<'a> {
    pub(super) config: &'a Arc<[u8]>,
    pub(super) headers: &'a mut Headers,
    pub(super) properties: &'a mut dyn Properties,
    pub(super) calls: &'a mut Calls,
}

impl Vm {
    /// Instantiates a module and runs its initialisation.
    ///
    /// # Errors
    /// It is no proxy-wasm module, or traps.
    pub(super) fn start(filter: &Filter, properties: &mut dyn Properties) -> wasmtime::Result<Self> {
        let identity = &filter.identity;
        let ticks = Ticks {
            request: identity.limits.ticks(identity.limits.request),
            configure: identity.limits.ticks(identity.limits.configure),
        };
        let mut store = Store::new(filter.module.module().engine(), Host::new(Arc::clone(identity)));
        store.limiter(|host| &mut host.limits);
        store.set_epoch_deadline(ticks.configure);
        PROPERTIES.set(properties, || {
            let instance = filter.module.instantiate(&mut store)?;
            let exports = Exports::of(&instance, &mut store)?;
            // A reactor has the one; a command, as the Rust SDK made them before 0.2, the other.
            for name in ["_initialize", "_start"] {
                if let Some(initialise) = export::<(), ()>(&instance, &mut store, name)? {
                    initialise.call(&mut store, ())?;
                }
            }
            Ok(Self {
                store,
                exports,
                ids: Ids::default(),
                roots: Vec::new(),
                callback: "_initialize",
                ticks,
            })
        })
    }

    /// Bytes of its linear memory.
    pub(super) fn memory(&self) -> Option<usize> {
        self.store.data().memory.map(|memory| memory.data_size(&self.store))
    }

    pub(super) fn callback(&self) -> &'static str {
        self.callback
    }

    /// A number that no context has.
    pub(super) fn new_id(&mut self) -> u32 {
        self.ids.take()
    }

    pub(super) fn has_root(&self, id: u32) -> bool {
        self.roots.contains(&id)
    }

    /// From here on, keeps what the filter logs; returns what it had kept.
    pub(super) fn listen(&mut self, on: bool) -> Vec<(log::Level, String)> {
        std::mem::replace(&mut self.store.data_mut().heard, on.then(Vec::new)).unwrap_or_default()
    }

    /// Creates and configures a root context; `false`: the filter refuses the configuration.
    ///
    /// # Errors
    /// The filter traps.
    pub(super) fn start_root(
        &mut self,
        id: u32,
        config: &Arc<[u8]>,
        properties: &mut dyn Properties,
    ) -> wasmtime::Result<bool> {
        self.ids.reserve(id);
        self.roots.push(id);
        self.store.set_epoch_deadline(self.ticks.configure);
        let host = self.store.data_mut();
        host.step = Step::Outside;
        host.config = Arc::clone(config);
        let len = u32::try_from(config.len())?;
        PROPERTIES.set(properties, || {
            self.callback = "proxy_on_context_create";
            self.exports.context_create.call(&mut self.store, (id, 0))?;
            self.callback = "proxy_on_vm_start";
            if let Some(vm_start) = &self.exports.vm_start
                && vm_start.call(&mut self.store, (id, 0))? == 0
            {
                return Ok(false);
            }
            self.callback = "proxy_on_configure";
            match &self.exports.configure {
                Some(configure) => Ok(configure.call(&mut self.store, (id, len))? != 0),
                None => Ok(true),
            }
        })
    }

    /// Ends a root context; its number becomes free.
    ///
    /// # Errors
    /// The filter traps.
    pub(super) fn end_root(&mut self, id: u32, properties: &mut dyn Properties) -> wasmtime::Result<()> {
        self.roots.retain(|other| *other != id);
        self.end(id, false, properties)
    }

    /// Creates a request's context and shows it the request's headers.
    ///
    /// # Errors
    /// The filter traps.
    pub(super) fn request_headers(
        &mut self,
        context: u32,
        root: u32,
        subject: Subject<'_>,
    ) -> wasmtime::Result<Verdict> {
        let action = self.lend(Step::RequestHeaders, subject, |vm| {
            vm.callback = "proxy_on_context_create";
            vm.exports.context_create.call(&mut vm.store, (context, root))?;
            vm.callback = "proxy_on_request_headers";
            let callback = vm.exports.request_headers.as_ref();
            OnHeaders::call(callback, &mut vm.store, context, |host| &host.request)
        })?;
        Ok(Verdict { reply: self.store.data_mut().reply.take(), goes_on: action == CONTINUE })
    }

    /// Shows a request's context the response's headers; `false`: it asks for a pause.
    ///
    /// # Errors
    /// The filter traps.
    pub(super) fn response_headers(&mut self, context: u32, subject: Subject<'_>) -> wasmtime::Result<bool> {
        let action = self.lend(Step::ResponseHeaders, subject, |vm| {
            vm.callback = "proxy_on_response_headers";
            let callback = vm.exports.response_headers.as_ref();
            OnHeaders::call(callback, &mut vm.store, context, |host| &host.response)
        })?;
        Ok(action == CONTINUE)
    }

    /// Lends the host what a callback works on, and takes it back whatever comes of it.
    fn lend<T>(
        &mut self,
        step: Step,
        subject: Subject<'_>,
        callback: impl FnOnce(&mut Self) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let Subject { config, headers, properties, calls } = subject;
        self.store.set_epoch_deadline(self.ticks.request);
        let host = self.store.data_mut();
        host.step = step;
        host.config = Arc::clone(config);
        host.calls = *calls;
        std::mem::swap(host.headers_of(step), headers);

        let done = PROPERTIES.set(properties, || callback(self));

        let host = self.store.data_mut();
        std::mem::swap(host.headers_of(step), headers);
        *calls = host.calls;
        host.step = Step::Outside;
        done
    }

    /// Ends a request's context; its number becomes free.
    ///
    /// # Errors
    /// The filter traps.
    pub(super) fn end_context(&mut self, id: u32, properties: &mut dyn Properties) -> wasmtime::Result<()> {
        self.end(id, true, properties)
    }

    /// In the order of ABI 0.2.1 and of ngx_wasm_module. Whether the filter is done is not asked: nothing could follow.
    fn end(&mut self, id: u32, request: bool, properties: &mut dyn Properties) -> wasmtime::Result<()> {
        self.store.set_epoch_deadline(self.ticks.request);
        PROPERTIES.set(properties, || {
            self.callback = "proxy_on_done";
            if let Some(done) = &self.exports.done {
                done.call(&mut self.store, id)?;
            }
            self.callback = "proxy_on_log";
            if let Some(log) = self.exports.log.as_ref().filter(|_| request) {
                log.call(&mut self.store, id)?;
            }
            self.callback = "proxy_on_delete";
            if let Some(delete) = &self.exports.delete {
                delete.call(&mut self.store, id)?;
            }
            Ok::<_, wasmtime::Error>(())
        })?;
        self.ids.give_back(id);
        Ok(())
    }
}

/// Numbers of contexts. They are used again: at 20,000 requests a second 32 bits would last for two days and a half.
struct Ids {
    next: u32,
    free: Vec<u32>,
}

impl Default for Ids {
    fn default() -> Self {
        // 0 means "no parent" in the ABI.
        Self { next: 1, free: Vec::new() }
    }
}

impl Ids {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let id = self.next;
            self.next = self.next.saturating_add(1);
            id
        })
    }

    /// Keeps a number that was given out by an earlier machine.
    fn reserve(&mut self, id: u32) {
        self.next = self.next.max(id.saturating_add(1));
    }

    fn give_back(&mut self, id: u32) {
        self.free.push(id);
    }
}
