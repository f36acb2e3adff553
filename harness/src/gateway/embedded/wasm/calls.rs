//! The table of host calls: what a filter may import, and how often a request used it.

use wasmtime::{Caller, Engine, FuncType, Linker, Val, ValType};

use super::guest::{Fault, Status};
use super::host::Host;
use super::{env, headers};

/// Makes [`NAMES`] and [`link`] from one table, so that a call's number is its place in it.
macro_rules! host_calls {
    ($($name:ident($($arg:ident: $type:ty),*) = $function:path;)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Offers every host call of this ABI; those that need more than this gateway has answer `Unimplemented`.
        ///
        /// # Errors
        /// Never for this table; wasmtime says what it is.
        pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            let mut place = 0..;
            $(
                let number: usize = place.next().unwrap_or_default();
                linker.func_wrap("env", stringify!($name), move |mut caller: Caller<'_, Host>, $($arg: $type),*| {
                    caller.data_mut().calls.count(number);
                    answer($function(&mut caller, $($arg),*))
                })?;
            )*
            let engine = linker.engine().clone();
            UNIMPLEMENTED.iter().try_for_each(|(name, arguments)| refuse(linker, &engine, name, arguments))
        }
    };
}

host_calls! {
    proxy_log(level: u32, message: u32, len: u32) = env::log;
    proxy_get_log_level(level: u32) = env::get_log_level;
    proxy_get_current_time_nanoseconds(time: u32) = env::get_current_time;
    proxy_get_buffer_bytes(buffer: u32, start: u32, most: u32, address: u32, length: u32) = env::get_buffer;
    proxy_get_configuration(address: u32, length: u32) = env::get_configuration;
    proxy_get_header_map_pairs(map: u32, address: u32, length: u32) = headers::get_pairs;
    proxy_set_header_map_pairs(map: u32, pairs: u32, len: u32) = headers::set_pairs;
    proxy_get_header_map_value(map: u32, name: u32, len: u32, address: u32, length: u32) = headers::get_value;
    proxy_add_header_map_value(map: u32, name: u32, len: u32, value: u32, value_len: u32) = headers::add_value;
    proxy_replace_header_map_value(map: u32, name: u32, len: u32, value: u32, value_len: u32) = headers::replace_value;
    proxy_remove_header_map_value(map: u32, name: u32, len: u32) = headers::remove_value;
    proxy_get_header_map_size(map: u32, size: u32) = headers::get_size;
    proxy_get_property(path: u32, len: u32, address: u32, length: u32) = env::get_property;
    proxy_set_property(path: u32, len: u32, value: u32, value_len: u32) = env::set_property;
    proxy_send_local_response(
        status: u32, details: u32, details_len: u32, body: u32, body_len: u32, headers: u32, headers_len: u32, grpc: u32
    ) = env::send_local_response;
    proxy_define_metric(kind: u32, name: u32, len: u32, metric: u32) = env::define_metric;
    proxy_increment_metric(metric: u32, by: i64) = env::increment_metric;
    proxy_record_metric(metric: u32, value: u64) = env::record_metric;
    proxy_get_metric(metric: u32, value: u32) = env::get_metric;
    proxy_set_effective_context(context: u32) = env::set_effective_context;
    proxy_done() = env::done;
}

/// What this gateway does not offer, with each argument's type: `i` for 32 bits.
const UNIMPLEMENTED: &[(&str, &str)] = &[
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_continue_request", ""),
    ("proxy_continue_response", ""),
    ("proxy_clear_route_cache", ""),
    ("proxy_get_status", "iii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_grpc_call", "iiiiiiiiiiii"),
    ("proxy_grpc_stream", "iiiiiiiii"),
    ("proxy_grpc_send", "iiii"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_dequeue_shared_queue", "iii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_call_foreign_function", "iiiiii"),
];

fn refuse(
    linker: &mut Linker<Host>,
    engine: &Engine,
    name: &'static str,
    arguments: &str,
) -> wasmtime::Result<()> {
    let signature = FuncType::new(engine, arguments.bytes().map(|_| ValType::I32), [ValType::I32]);
    linker.func_new("env", name, signature, move |mut caller, _, results| {
        let message = format!("{name} is not offered by this gateway");
        caller.data_mut().log(log::Level::Warn, message.as_bytes());
        if let Some(result) = results.first_mut() {
            *result = Val::I32(Status::Unimplemented as i32);
        }
        Ok(())
    })?;
    Ok(())
}

fn answer(result: Result<(), Fault>) -> wasmtime::Result<u32> {
    match result {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Fault::Status(status)) => Ok(status as u32),
        Err(Fault::Trap(error)) => Err(error),
    }
}

/// How often each host call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls([u32; NAMES.len()]);

impl Calls {
    fn count(&mut self, number: usize) {
        if let Some(count) = self.0.get_mut(number) {
            *count = count.saturating_add(1);
        }
    }

    /// Those that were made, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        NAMES.iter().copied().zip(self.0).filter(|(_, count)| *count > 0)
    }
}
