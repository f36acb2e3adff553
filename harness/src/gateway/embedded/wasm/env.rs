//! Host calls on everything but headers: log, clock, configuration, properties, local responses, metrics.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use wasmtime::Caller;

use super::guest::{Fault, Return, Status, hand_over, parts, slice, write, write_u32};
use super::host::{Host, PROPERTIES, Step};
use super::metrics::{Kind, Metric};
use super::{LocalResponse, map};

pub(super) fn log(caller: &mut Caller<'_, Host>, level: u32, message: u32, len: u32) -> Result<(), Fault> {
    let level = match level {
        0 => log::Level::Trace,
        1 => log::Level::Debug,
        2 => log::Level::Info,
        3 => log::Level::Warn,
        4 | 5 => log::Level::Error,
        _ => return Err(Status::BadArgument.into()),
    };
    let (memory, host) = parts(caller)?;
    host.log(level, slice(memory, message, len)?);
    Ok(())
}

pub(super) fn get_log_level(caller: &mut Caller<'_, Host>, level: u32) -> Result<(), Fault> {
    let lowest = match log::max_level() {
        log::LevelFilter::Trace => 0,
        log::LevelFilter::Debug => 1,
        log::LevelFilter::Info => 2,
        log::LevelFilter::Warn => 3,
        log::LevelFilter::Error => 4,
        log::LevelFilter::Off => 5,
    };
    write_u32(parts(caller)?.0, level, lowest)
}

pub(super) fn get_current_time(caller: &mut Caller<'_, Host>, time: u32) -> Result<(), Fault> {
    write(parts(caller)?.0, time, nanoseconds().to_le_bytes())
}

/// Since 1970, until 2554; before and after, the nearest of them.
pub(super) fn nanoseconds() -> u64 {
    let elapsed =
        PROPERTIES.with(|properties| properties.now()).duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// Configurations only: bodies pass by the filters here. There is none for the machine as such, so that one is empty.
pub(super) fn get_buffer(
    caller: &mut Caller<'_, Host>,
    buffer: u32,
    start: u32,
    most: u32,
    address: u32,
    length: u32,
) -> Result<(), Fault> {
    const VM_CONFIGURATION: u32 = 6;
    const PLUGIN_CONFIGURATION: u32 = 7;
    let config = match buffer {
        VM_CONFIGURATION => Arc::default(),
        PLUGIN_CONFIGURATION => Arc::clone(&caller.data().config),
        _ => return Err(Status::NotFound.into()),
    };
    let rest = config.get(start as usize..).ok_or(Status::BadArgument)?;
    let part = rest.get(..most as usize).unwrap_or(rest);
    hand_over(caller, part.len(), Return { address, length }, |target, _| target.copy_from_slice(part))
}

/// As ABI 0.1.0 asked for it.
pub(super) fn get_configuration(
    caller: &mut Caller<'_, Host>,
    address: u32,
    length: u32,
) -> Result<(), Fault> {
    let config = Arc::clone(&caller.data().config);
    hand_over(caller, config.len(), Return { address, length }, |target, _| target.copy_from_slice(&config))
}

pub(super) fn get_property(
    caller: &mut Caller<'_, Host>,
    path: u32,
    len: u32,
    address: u32,
    length: u32,
) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    dotted(slice(memory, path, len)?, &mut host.path).ok_or(Status::NotFound)?;
    let value = PROPERTIES.with(|properties| properties.get(&host.path)).ok_or(Status::NotFound)?;
    hand_over(caller, value.len(), Return { address, length }, |target, _| target.copy_from_slice(&value))
}

/// What cannot be set traps: on Kong too the client then gets a bare 500.
pub(super) fn set_property(
    caller: &mut Caller<'_, Host>,
    path: u32,
    len: u32,
    value: u32,
    value_len: u32,
) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let (path, value) = (slice(memory, path, len)?, slice(memory, value, value_len)?);
    dotted(path, &mut host.path).ok_or_else(|| Fault::trap("a property's path is not UTF-8"))?;
    let set = PROPERTIES.with(|properties| properties.set(&host.path, value));
    // The value may be one that nobody should read in a log.
    set.map_err(|_| Fault::trap(format!("could not set \"{}\"", host.path)))
}

/// Segments are separated by NUL in the ABI; Kong's names contain the dots already.
fn dotted(path: &[u8], into: &mut String) -> Option<()> {
    let path = str::from_utf8(path).ok()?;
    into.clear();
    for (index, segment) in path.split('\0').enumerate() {
        if index > 0 {
            into.push('.');
        }
        into.push_str(segment);
    }
    Some(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn send_local_response(
    caller: &mut Caller<'_, Host>,
    status: u32,
    _details: u32,
    _details_len: u32,
    body: u32,
    body_len: u32,
    headers: u32,
    headers_len: u32,
    grpc: u32,
) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    if host.step != Step::RequestHeaders {
        return Err(Fault::trap("a response can only be sent in proxy_on_request_headers"));
    }
    // As Kong: "local response already stashed".
    if host.reply.is_some() {
        return Err(Fault::trap("a response has been sent already"));
    }
    let headers = map::decode(slice(memory, headers, headers_len)?).ok_or(Status::SerializationFailure)?;
    let status = u16::try_from(status).ok().filter(|status| (100..=999).contains(status));
    let (Some(status), true) = (status, headers.iter().all(|(name, value)| map::is_valid(name, value)))
    else {
        return Err(Status::BadArgument.into());
    };
    let body = slice(memory, body, body_len)?.to_vec();
    // -1 where the answer is not a gRPC one.
    let grpc_status = (grpc != u32::MAX).then_some(grpc);
    host.reply = Some(LocalResponse { status, headers, body, grpc_status });
    Ok(())
}

pub(super) fn define_metric(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    name: u32,
    len: u32,
    metric: u32,
) -> Result<(), Fault> {
    let kind = match kind {
        0 => Kind::Counter,
        1 => Kind::Gauge,
        _ => return Err(Status::Unimplemented.into()),
    };
    let (memory, host) = parts(caller)?;
    let name = str::from_utf8(slice(memory, name, len)?).map_err(|_| Status::BadArgument)?;
    let defined = host.identity.metrics.define(kind, name).ok_or(Status::BadArgument)?;
    let known = host.metrics.iter().position(|other| Arc::ptr_eq(other, &defined));
    let number = known.unwrap_or_else(|| {
        host.metrics.push(defined);
        host.metrics.len() - 1
    });
    write_u32(memory, metric, u32::try_from(number).map_err(|_| Status::InternalFailure)?)
}

pub(super) fn increment_metric(caller: &mut Caller<'_, Host>, metric: u32, by: i64) -> Result<(), Fault> {
    if defined(caller.data(), metric)?.increment(by) { Ok(()) } else { Err(Status::BadArgument.into()) }
}

pub(super) fn record_metric(caller: &mut Caller<'_, Host>, metric: u32, value: u64) -> Result<(), Fault> {
    if defined(caller.data(), metric)?.record(value) { Ok(()) } else { Err(Status::BadArgument.into()) }
}

pub(super) fn get_metric(caller: &mut Caller<'_, Host>, metric: u32, value: u32) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    write(memory, value, defined(host, metric)?.get().to_le_bytes())
}

fn defined(host: &Host, metric: u32) -> Result<&Metric, Fault> {
    host.metrics.get(metric as usize).map(Arc::as_ref).ok_or(Fault::Status(Status::NotFound))
}

/// Accepted without effect, as on Kong: no callback here ever runs for another context than its own.
pub(super) fn set_effective_context(_: &mut Caller<'_, Host>, _: u32) -> Result<(), Fault> {
    Ok(())
}

/// Accepted without effect: a context ends when its request or its root does, not when the filter says so.
pub(super) fn done(_: &mut Caller<'_, Host>) -> Result<(), Fault> {
    Ok(())
}
