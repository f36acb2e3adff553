//! What a module offers: the callbacks of the ABI, looked up and checked once.

use wasmtime::{Instance, Store, Trap, TypedFunc, WasmParams, WasmResults};

use super::Headers;
use super::host::Host;

/// A module's callbacks; those that it does without are skipped.
pub(super) struct Exports {
    pub(super) context_create: TypedFunc<(u32, u32), ()>,
    pub(super) vm_start: Option<TypedFunc<(u32, u32), u32>>,
    pub(super) configure: Option<TypedFunc<(u32, u32), u32>>,
    pub(super) request_headers: Option<OnHeaders>,
    pub(super) response_headers: Option<OnHeaders>,
    pub(super) done: Option<TypedFunc<u32, u32>>,
    pub(super) log: Option<TypedFunc<u32, ()>>,
    pub(super) delete: Option<TypedFunc<u32, ()>>,
}

/// The end-of-stream flag came with ABI 0.2.0.
pub(super) enum OnHeaders {
    Plain(TypedFunc<(u32, u32), u32>),
    WithEnd(TypedFunc<(u32, u32, u32), u32>),
}

/// Of the two actions a callback can ask for; the other is to pause.
pub(super) const CONTINUE: u32 = 0;

impl Exports {
    /// Looks them up, and hands the host the memory and its allocator.
    ///
    /// # Errors
    /// The module is no proxy-wasm filter, or a callback has another type than the ABI's.
    pub(super) fn of(instance: &Instance, store: &mut Store<Host>) -> wasmtime::Result<Self> {
        let missing =
            |what: &str| wasmtime::Error::msg(format!("is no proxy-wasm module: it does not export {what}"));
        let abi = ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0", "proxy_abi_version_0_1_0"];
        if !abi.iter().any(|version| instance.get_export(&mut *store, version).is_some()) {
            return Err(missing("proxy_abi_version_0_2_1 (or _0_2_0, _0_1_0)"));
        }
        let memory = instance.get_memory(&mut *store, "memory").ok_or_else(|| missing("its memory"))?;
        let allocate = match export(instance, store, "proxy_on_memory_allocate")? {
            Some(allocate) => allocate,
            None => export(instance, store, "malloc")?
                .ok_or_else(|| missing("proxy_on_memory_allocate or malloc"))?,
        };
        let host = store.data_mut();
        host.memory = Some(memory);
        host.allocate = Some(allocate);
        Ok(Self {
            context_create: export(instance, store, "proxy_on_context_create")?
                .ok_or_else(|| missing("proxy_on_context_create"))?,
            vm_start: export(instance, store, "proxy_on_vm_start")?,
            configure: export(instance, store, "proxy_on_configure")?,
            request_headers: OnHeaders::of(instance, store, "proxy_on_request_headers")?,
            response_headers: OnHeaders::of(instance, store, "proxy_on_response_headers")?,
            done: export(instance, store, "proxy_on_done")?,
            log: export(instance, store, "proxy_on_log")?,
            delete: export(instance, store, "proxy_on_delete")?,
        })
    }
}

impl OnHeaders {
    fn of(instance: &Instance, store: &mut Store<Host>, name: &str) -> wasmtime::Result<Option<Self>> {
        match export(instance, store, name) {
            Ok(function) => Ok(function.map(Self::WithEnd)),
            Err(error) => match export(instance, store, name) {
                Ok(function) => Ok(function.map(Self::Plain)),
                Err(_) => Err(error),
            },
        }
    }

    /// A callback that is not there goes on. The end of the stream is never announced: on Kong the flag is always false.
    pub(super) fn call(
        callback: Option<&Self>,
        store: &mut Store<Host>,
        context: u32,
        headers: impl FnOnce(&Host) -> &Headers,
    ) -> wasmtime::Result<u32> {
        const END_OF_STREAM: u32 = 0;
        let Some(callback) = callback else { return Ok(CONTINUE) };
        let count = u32::try_from(headers(store.data()).len())?;
        match callback {
            Self::Plain(function) => function.call(store, (context, count)),
            Self::WithEnd(function) => function.call(store, (context, count, END_OF_STREAM)),
        }
    }
}

/// `None` where there is no such function.
///
/// # Errors
/// There is one of another type.
pub(super) fn export<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<Host>,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let typed = function.typed(&*store);
    typed
        .map(Some)
        .map_err(|error| wasmtime::Error::msg(format!("exports {name} of a wrong type: {}", cause(&error))))
}

/// What went wrong, in a word to an admin.
pub(super) fn cause(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => "it ran longer than it may".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}
