//! A guest's linear memory, read and written within its bounds.

use wasmtime::Caller;

use super::host::Host;

/// Why a host call does not answer `Ok`.
pub(super) enum Fault {
    /// The guest is told, and goes on.
    Status(Status),
    /// The guest ends here.
    Trap(wasmtime::Error),
}

/// Of proxy-wasm ABI 0.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    InvalidMemoryAccess = 6,
    InternalFailure = 10,
    Unimplemented = 12,
}

impl Fault {
    pub(super) fn trap(reason: impl Into<String>) -> Self {
        Self::Trap(wasmtime::Error::msg(reason.into()))
    }
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// The guest's memory, and the host's data beside it.
pub(super) fn parts<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut Host), Fault> {
    // Absent only while a module's start function runs.
    let memory = caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
    Ok(memory.data_and_store_mut(caller))
}

pub(super) fn slice(memory: &[u8], at: u32, len: u32) -> Result<&[u8], Fault> {
    let (at, len) = (at as usize, len as usize);
    memory.get(at..).and_then(|rest| rest.get(..len)).ok_or(Fault::Status(Status::InvalidMemoryAccess))
}

pub(super) fn slice_mut(memory: &mut [u8], at: u32, len: u32) -> Result<&mut [u8], Fault> {
    let (at, len) = (at as usize, len as usize);
    memory
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..len))
        .ok_or(Fault::Status(Status::InvalidMemoryAccess))
}

pub(super) fn write<const N: usize>(memory: &mut [u8], at: u32, bytes: [u8; N]) -> Result<(), Fault> {
    slice_mut(memory, at, N as u32)?.copy_from_slice(&bytes);
    Ok(())
}

pub(super) fn write_u32(memory: &mut [u8], at: u32, value: u32) -> Result<(), Fault> {
    write(memory, at, value.to_le_bytes())
}

/// Where a guest wants to read the address and the length of what it asked for.
#[derive(Clone, Copy)]
pub(super) struct Return {
    pub(super) address: u32,
    pub(super) length: u32,
}

/// Hands over `len` bytes in memory that the guest allocates; the guest frees it.
///
/// Nothing is allocated for nothing: the address is then 0, as Envoy does.
pub(super) fn hand_over(
    caller: &mut Caller<'_, Host>,
    len: usize,
    to: Return,
    fill: impl FnOnce(&mut [u8], &Host),
) -> Result<(), Fault> {
    let len = u32::try_from(len).map_err(|_| Status::InternalFailure)?;
    let (memory, _) = parts(caller)?;
    write_u32(memory, to.address, 0)?;
    write_u32(memory, to.length, 0)?;
    if len == 0 {
        return Ok(());
    }
    let at = allocate(caller, len)?;
    let (memory, host) = parts(caller)?;
    fill(slice_mut(memory, at, len)?, host);
    write_u32(memory, to.address, at)?;
    write_u32(memory, to.length, len)
}

fn allocate(caller: &mut Caller<'_, Host>, len: u32) -> Result<u32, Fault> {
    let allocate = caller.data_mut().allocate.take().ok_or(Status::InternalFailure)?;
    let at = allocate.call(&mut *caller, len);
    caller.data_mut().allocate = Some(allocate);
    match at {
        Ok(0) => Err(Status::InternalFailure.into()),
        Ok(at) => Ok(at),
        Err(error) => Err(Fault::Trap(error)),
    }
}
