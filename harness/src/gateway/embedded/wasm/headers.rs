//! Host calls on header maps.
//!
//! Pseudo headers can be read. Writing one is accepted and has no effect: Kong 3.9 was seen to send upstream what it
//! had computed before the filter ran, whatever `:path` was set to.

use wasmtime::Caller;

use super::guest::{Fault, Return, Status, hand_over, parts, slice, write_u32};
use super::host::{Host, Step};
use super::{Headers, map};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;

impl Host {
    /// The map to read; empty where the request is not in a step that has it.
    fn readable(&self, kind: u32) -> Result<&Headers, Fault> {
        match kind {
            REQUEST => Ok(&self.request),
            RESPONSE => Ok(&self.response),
            _ => Err(Status::BadArgument.into()),
        }
    }

    /// The map to change. In the wrong step that traps, as on Kong, since the change would be lost.
    fn writable(&mut self, kind: u32) -> Result<&mut Headers, Fault> {
        match (kind, self.step) {
            (REQUEST, Step::RequestHeaders) => Ok(&mut self.request),
            (RESPONSE, Step::ResponseHeaders) => Ok(&mut self.response),
            (REQUEST, _) => Err(Fault::trap("request headers can only be set in proxy_on_request_headers")),
            (RESPONSE, _) => {
                Err(Fault::trap("response headers can only be set in proxy_on_response_headers"))
            }
            _ => Err(Status::BadArgument.into()),
        }
    }
}

pub(super) fn get_pairs(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    address: u32,
    length: u32,
) -> Result<(), Fault> {
    let len = map::encoded_len(caller.data().readable(kind)?);
    hand_over(caller, len, Return { address, length }, |target, host| {
        if let Ok(headers) = host.readable(kind) {
            map::encode(headers, target);
        }
    })
}

pub(super) fn get_size(caller: &mut Caller<'_, Host>, kind: u32, size: u32) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let len = map::encoded_len(host.readable(kind)?);
    write_u32(memory, size, u32::try_from(len).map_err(|_| Status::InternalFailure)?)
}

pub(super) fn get_value(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    name: u32,
    len: u32,
    address: u32,
    length: u32,
) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let headers = host.readable(kind)?;
    let index = map::find(headers, slice(memory, name, len)?).ok_or(Status::NotFound)?;
    let len = headers.get(index).map_or(0, |(_, value)| value.len());
    hand_over(caller, len, Return { address, length }, |target, host| {
        // The guest's allocator has run in between: trust nothing.
        let value = host.readable(kind).ok().and_then(|headers| headers.get(index));
        if let Some((_, value)) = value.filter(|(_, value)| value.len() == target.len()) {
            target.copy_from_slice(value);
        }
    })
}

pub(super) fn set_pairs(caller: &mut Caller<'_, Host>, kind: u32, pairs: u32, len: u32) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let headers = host.writable(kind)?;
    let pairs = map::decode(slice(memory, pairs, len)?).ok_or(Status::SerializationFailure)?;
    if !pairs.iter().all(|(name, value)| map::is_pseudo(name) || map::is_valid(name, value)) {
        return Err(Status::BadArgument.into());
    }
    map::replace_all(headers, pairs);
    Ok(())
}

pub(super) fn add_value(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    name: u32,
    len: u32,
    value: u32,
    value_len: u32,
) -> Result<(), Fault> {
    change(caller, kind, (name, len), (value, value_len), |headers, name, value| {
        headers.push((name.to_vec(), value.to_vec()));
    })
}

pub(super) fn replace_value(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    name: u32,
    len: u32,
    value: u32,
    value_len: u32,
) -> Result<(), Fault> {
    change(caller, kind, (name, len), (value, value_len), map::replace)
}

pub(super) fn remove_value(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    name: u32,
    len: u32,
) -> Result<(), Fault> {
    change(caller, kind, (name, len), (0, 0), |headers, name, _| map::remove(headers, name))
}

fn change(
    caller: &mut Caller<'_, Host>,
    kind: u32,
    (name, name_len): (u32, u32),
    (value, value_len): (u32, u32),
    edit: impl FnOnce(&mut Headers, &[u8], &[u8]),
) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let headers = host.writable(kind)?;
    let (name, value) = (slice(memory, name, name_len)?, slice(memory, value, value_len)?);
    if map::is_pseudo(name) {
        return Ok(());
    }
    if !map::is_valid(name, value) {
        return Err(Status::BadArgument.into());
    }
    edit(headers, name, value);
    Ok(())
}
