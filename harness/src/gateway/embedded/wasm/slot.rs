//! A filter's place in a worker: its machine, replaced when it fails, and the roots in it.

use std::sync::Arc;

use super::exports::cause;
use super::filters::Filter;
use super::roots::{Context, Root, Shared, WeakRoot};
use super::vm::{Subject, Verdict, Vm};
use super::worker::ConfigureError;
use super::{Properties, Trap};

pub(super) struct Slot {
    filter: Arc<Filter>,
    /// Answers what the filter asks outside of requests.
    outside: Box<dyn Properties + Send>,
    /// Taken out while it runs and put back when it comes out well: after a trap, or a panic, none is there.
    vm: Option<Vm>,
    /// How many machines there have been.
    generation: u64,
    roots: Vec<WeakRoot>,
}

impl Slot {
    pub(super) fn new(filter: Arc<Filter>, outside: Box<dyn Properties + Send>) -> Self {
        Self { filter, outside, vm: None, generation: 0, roots: Vec::new() }
    }

    /// Gives the filter one more root. `shared` is this slot's own.
    ///
    /// An error that the filter logs counts as a no, whatever it returns: a filter may have to accept what it cannot
    /// use, since Kong 3.9.1 serves on without the filters when one of them refuses at start.
    pub(super) fn configure(
        &mut self,
        shared: &Arc<Shared>,
        config: Arc<[u8]>,
    ) -> Result<Root, ConfigureError> {
        let filter = Arc::clone(&self.filter.identity.name);
        let refused = |reason, log, root| ConfigureError { filter, reason, log, root };
        let mut vm = match self.take() {
            Ok(vm) => vm,
            Err(trap) => return Err(refused(trap.to_string(), Vec::new(), None)),
        };
        let id = vm.new_id();
        vm.listen(true);
        let accepted = vm.start_root(id, &config, &mut *self.outside);
        let heard = vm.listen(false);
        let complained = heard.iter().any(|(level, _)| *level == log::Level::Error);
        let log = heard.into_iter().map(|(_, message)| message).collect();
        match self.keep(vm, accepted) {
            Ok(accepted) => {
                let root = Root::new(shared, id, config);
                self.roots.push(root.downgrade());
                if accepted && !complained {
                    return Ok(root);
                }
                Err(refused("refuses its configuration".to_owned(), log, Some(root)))
            }
            Err(trap) => Err(refused(format!("failed in {}: {}", trap.callback, trap.reason), log, None)),
        }
    }

    pub(super) fn request_headers(
        &mut self,
        root: &Root,
        subject: Subject<'_>,
    ) -> Result<(Context, Verdict), Trap> {
        let mut vm = self.take()?;
        let context = Context { generation: self.generation, id: vm.new_id() };
        let verdict = vm.request_headers(context.id, root.id(), subject);
        Ok((context, self.keep(vm, verdict)?))
    }

    /// Bytes of its linear memory, if it has been started.
    pub(super) fn memory(&self) -> Option<usize> {
        self.vm.as_ref().and_then(Vm::memory)
    }

    /// `false`: the filter asks for a pause. A context whose machine is gone has nothing to say any more: its request
    /// was decided on before.
    pub(super) fn response_headers(&mut self, context: Context, subject: Subject<'_>) -> Result<bool, Trap> {
        let Some(mut vm) = self.vm_of(context) else { return Ok(true) };
        let goes_on = vm.response_headers(context.id, subject);
        self.keep(vm, goes_on)
    }

    pub(super) fn end_context(&mut self, context: Context) {
        if let Some(mut vm) = self.vm_of(context) {
            let ended = vm.end_context(context.id, &mut *self.outside);
            self.keep(vm, ended).unwrap_or_else(|trap| log::error!("{trap}"));
        }
    }

    pub(super) fn end_root(&mut self, id: u32) {
        self.roots.retain(WeakRoot::is_held);
        if let Some(mut vm) = self.vm.take_if(|vm| vm.has_root(id)) {
            let ended = vm.end_root(id, &mut *self.outside);
            self.keep(vm, ended).unwrap_or_else(|trap| log::error!("{trap}"));
        }
    }

    /// What a pause is here: an end, for nothing could resume the request.
    pub(super) fn paused(&self, callback: &'static str) -> Trap {
        let reason =
            "it paused the request without an answer, and nothing on this gateway resumes it".to_owned();
        Trap { filter: Arc::clone(&self.filter.identity.name), callback, reason }
    }

    fn vm_of(&mut self, context: Context) -> Option<Vm> {
        self.vm.take_if(|_| context.generation == self.generation)
    }

    /// The machine, out of its place; a new one with all roots if the one before did not come back.
    fn take(&mut self) -> Result<Vm, Trap> {
        if let Some(vm) = self.vm.take() {
            return Ok(vm);
        }
        self.generation += 1;
        let mut vm =
            Vm::start(&self.filter, &mut *self.outside).map_err(|error| self.trap("_initialize", &error))?;
        for root in self.roots.iter().filter_map(WeakRoot::upgrade) {
            let accepted = vm.start_root(root.id(), root.config(), &mut *self.outside);
            if !accepted.map_err(|error| self.trap(vm.callback(), &error))? {
                // Refused before, or just now: what becomes of its requests is the filter's to say.
                log::warn!(target: "filter", "{}: refuses a configuration", self.filter.identity.name);
            }
        }
        Ok(vm)
    }

    /// Puts a machine back that came out well.
    fn keep<T>(&mut self, vm: Vm, result: wasmtime::Result<T>) -> Result<T, Trap> {
        let done = result.map_err(|error| self.trap(vm.callback(), &error))?;
        self.vm = Some(vm);
        Ok(done)
    }

    fn trap(&self, callback: &'static str, error: &wasmtime::Error) -> Trap {
        Trap { filter: Arc::clone(&self.filter.identity.name), callback, reason: cause(error) }
    }
}
