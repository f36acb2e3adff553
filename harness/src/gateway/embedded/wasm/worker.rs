//! One thread's machines, one for each filter, and the roots in them.

use std::fmt;
use std::sync::Arc;

use super::exports::cause;
use super::filters::{Filter, Filters};
use super::roots::{Context, Leaving, Root, Shared, WeakRoot};
use super::vm::{Subject, Verdict, Vm};
use super::{Properties, Trap};

/// What one thread that serves requests needs to run filters. It can be used from several, one at a time.
pub struct Worker(Arc<Shared>);

impl Worker {
    /// `outside` answers what filters ask while no request runs: when they are configured, and at a request's end.
    #[must_use]
    pub fn new(filters: &Filters, outside: Box<dyn Properties + Send>) -> Self {
        let slots = filters.iter().map(|filter| Slot::new(Arc::clone(filter))).collect();
        Self(Arc::new(Shared::new(Inner { slots, outside, _filters: filters.clone() })))
    }

    /// Gives a filter one more root context.
    ///
    /// # Errors
    /// There is no such filter, it refuses the configuration, or it traps.
    pub fn configure(&self, filter: &str, config: impl Into<Arc<[u8]>>) -> Result<Root, ConfigureError> {
        let mut inner = self.0.enter();
        let Inner { slots, outside, .. } = &mut *inner;
        let place = slots.iter().position(|slot| &**slot.name() == filter);
        let Some((place, slot)) = place.and_then(|place| Some((place, slots.get_mut(place)?))) else {
            let reason = "there is no filter of that name".to_owned();
            return Err(ConfigureError { filter: filter.into(), reason, log: Vec::new(), root: None });
        };
        slot.configure(&self.0, place, config.into(), &mut **outside)
    }

    /// Lets go of a root; once its last request has ended, the filter's memory of it is given back.
    pub fn release(&self, root: Root) {
        drop(root);
        drop(self.0.enter());
    }
}

/// A configuration that a filter did not take.
pub struct ConfigureError {
    pub filter: Arc<str>,
    pub reason: String,
    /// What the filter logged meanwhile, line by line.
    pub log: Vec<String>,
    root: Option<Root>,
}

impl ConfigureError {
    /// The root as the filter left it, for a host that starts a refused filter all the same, as some do: what becomes
    /// of requests is then the filter's to say. `None` if the filter trapped.
    #[must_use]
    pub fn into_root(self) -> Option<Root> {
        self.root
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter \"{}\": {}", self.filter, self.reason)?;
        self.log.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Debug for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigureError {}

pub(super) struct Inner {
    slots: Vec<Slot>,
    outside: Box<dyn Properties + Send>,
    // Keeps the clock running by which an endless loop ends.
    _filters: Filters,
}

impl Inner {
    /// The place of a filter, and what answers outside of requests.
    pub(super) fn slot(&mut self, filter: usize) -> Option<(&mut Slot, &mut dyn Properties)> {
        Some((self.slots.get_mut(filter)?, &mut *self.outside))
    }

    pub(super) fn clean_up(&mut self, leaving: Leaving) {
        let (Leaving::Root { filter, .. } | Leaving::Request { filter, .. }) = leaving;
        let Some((slot, outside)) = self.slot(filter) else { return };
        match leaving {
            Leaving::Root { id, .. } => slot.end_root(id, outside),
            Leaving::Request { context, .. } => slot.end_context(context, outside),
        }
    }
}

/// A filter's place in a worker, with its machine while it has one.
pub(super) struct Slot {
    filter: Arc<Filter>,
    /// Taken out while it runs and put back when it comes out well: after a trap, or a panic, none is there.
    vm: Option<Vm>,
    /// How many machines there have been.
    generation: u64,
    roots: Vec<WeakRoot>,
}

impl Slot {
    fn new(filter: Arc<Filter>) -> Self {
        Self { filter, vm: None, generation: 0, roots: Vec::new() }
    }

    fn name(&self) -> &Arc<str> {
        &self.filter.identity.name
    }

    fn configure(
        &mut self,
        shared: &Arc<Shared>,
        place: usize,
        config: Arc<[u8]>,
        outside: &mut dyn Properties,
    ) -> Result<Root, ConfigureError> {
        let filter = Arc::clone(self.name());
        let refuse = |reason, log, root| ConfigureError { filter: Arc::clone(&filter), reason, log, root };
        let mut vm = self.take(outside).map_err(|trap| refuse(trap.to_string(), Vec::new(), None))?;
        let id = vm.new_id();
        vm.listen(true);
        let accepted = vm.start_root(id, &config, outside);
        let log = vm.listen(false);
        let accepted = accepted.map_err(|error| {
            let reason = format!("failed in {}: {}", vm.callback(), cause(&error));
            refuse(reason, log.clone(), None)
        })?;
        self.vm = Some(vm);
        let root = Root::new(shared, place, id, config);
        self.roots.push(root.downgrade());
        if accepted { Ok(root) } else { Err(refuse("refuses its configuration".to_owned(), log, Some(root))) }
    }

    /// The machine, out of its place; a new one with all roots if the one before did not come back.
    fn take(&mut self, outside: &mut dyn Properties) -> Result<Vm, Trap> {
        if let Some(vm) = self.vm.take() {
            return Ok(vm);
        }
        self.generation += 1;
        let mut vm = Vm::start(&self.filter, outside).map_err(|error| self.trap("_initialize", &error))?;
        for root in self.roots.iter().filter_map(WeakRoot::upgrade) {
            let accepted = vm.start_root(root.id(), root.config(), outside);
            if !accepted.map_err(|error| self.trap(vm.callback(), &error))? {
                // Refused before, or just now: the filter answers its requests, as it sees fit.
                log::warn!(target: "filter", "{}: refuses the configuration of root {}", self.name(), root.id());
            }
        }
        Ok(vm)
    }

    fn run<T>(
        &mut self,
        mut vm: Vm,
        callback: impl FnOnce(&mut Vm) -> wasmtime::Result<T>,
    ) -> Result<T, Trap> {
        let done = callback(&mut vm).map_err(|error| self.trap(vm.callback(), &error))?;
        self.vm = Some(vm);
        Ok(done)
    }

    fn trap(&self, callback: &'static str, error: &wasmtime::Error) -> Trap {
        Trap { filter: Arc::clone(self.name()), callback, reason: cause(error) }
    }

    /// What a pause is here: an end, for nothing could resume the request.
    pub(super) fn paused(&self, callback: &'static str) -> Trap {
        let reason =
            "it paused the request without an answer, and nothing on this gateway resumes it".to_owned();
        Trap { filter: Arc::clone(self.name()), callback, reason }
    }

    pub(super) fn request_headers(
        &mut self,
        root: &Root,
        subject: Subject<'_>,
        outside: &mut dyn Properties,
    ) -> Result<(Context, Verdict), Trap> {
        let mut vm = self.take(outside)?;
        let context = Context { generation: self.generation, id: vm.new_id() };
        let verdict = self.run(vm, |vm| vm.request_headers(context.id, root.id(), subject))?;
        Ok((context, verdict))
    }

    /// A context whose machine is gone has nothing to say any more: its request was decided on before.
    pub(super) fn response_headers(&mut self, context: Context, subject: Subject<'_>) -> Result<bool, Trap> {
        match self.vm.take_if(|_| context.generation == self.generation) {
            Some(vm) => self.run(vm, |vm| vm.response_headers(context.id, subject)),
            None => Ok(true),
        }
    }

    pub(super) fn end_context(&mut self, context: Context, outside: &mut dyn Properties) {
        if let Some(vm) = self.vm.take_if(|_| context.generation == self.generation) {
            let ended = self.run(vm, |vm| vm.end_context(context.id, outside));
            ended.unwrap_or_else(|trap| log::error!("{trap}"));
        }
    }

    fn end_root(&mut self, id: u32, outside: &mut dyn Properties) {
        self.roots.retain(WeakRoot::is_held);
        if let Some(vm) = self.vm.take_if(|vm| vm.has_root(id)) {
            let ended = self.run(vm, |vm| vm.end_root(id, outside));
            ended.unwrap_or_else(|trap| log::error!("{trap}"));
        }
    }
}
