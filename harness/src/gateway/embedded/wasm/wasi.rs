//! The few WASI calls that a module built for `wasm32-wasip1` imports: no files, no arguments, no environment.

use wasmtime::{Caller, Linker};

use super::env::nanoseconds;
use super::guest::{Fault, parts, slice, slice_mut, write, write_u32};
use super::host::Host;

const MODULE: &str = "wasi_snapshot_preview1";

/// Of preview 1's `errno`.
#[derive(Clone, Copy)]
enum Errno {
    Success = 0,
    BadFile = 8,
    Fault = 21,
    Io = 29,
    NotSupported = 58,
}

/// Offers them.
///
/// # Errors
/// Never for these; wasmtime says what it is.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for list in ["args", "environ"] {
        linker.func_wrap(MODULE, &format!("{list}_sizes_get"), empty_list)?;
        linker.func_wrap(MODULE, &format!("{list}_get"), |_: u32, _: u32| Errno::Success as u32)?;
    }
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut caller: Caller<'_, Host>, _: u32, _: u64, time: u32| {
            errno(parts(&mut caller).and_then(|(memory, _)| write(memory, time, nanoseconds().to_le_bytes())))
        },
    )?;
    linker.func_wrap(MODULE, "random_get", random)?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut caller: Caller<'_, Host>, file: u32, at: u32, count: u32, to: u32| {
            if !matches!(file, 1 | 2) {
                return Errno::BadFile as u32;
            }
            errno(log_vectors(&mut caller, file, at, count, to))
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", |_: u32| Errno::BadFile as u32)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |_: u32, _: u32| Errno::BadFile as u32)?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: u32, _: u32| Errno::BadFile as u32)?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| Errno::BadFile as u32)?;
    linker.func_wrap(MODULE, "fd_seek", |_: u32, _: u64, _: u32, _: u32| Errno::BadFile as u32)?;
    linker.func_wrap(MODULE, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| Errno::NotSupported as u32)?;
    linker.func_wrap(MODULE, "sched_yield", || Errno::Success as u32)?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("the filter called proc_exit({code})")))
    })?;
    Ok(())
}

fn empty_list(mut caller: Caller<'_, Host>, count: u32, size: u32) -> u32 {
    errno(parts(&mut caller).and_then(|(memory, _)| {
        write_u32(memory, count, 0)?;
        write_u32(memory, size, 0)
    }))
}

fn random(mut caller: Caller<'_, Host>, at: u32, len: u32) -> u32 {
    let Ok(target) = parts(&mut caller).and_then(|(memory, _)| slice_mut(memory, at, len)) else {
        return Errno::Fault as u32;
    };
    getrandom::fill(target).map_or(Errno::Io, |()| Errno::Success) as u32
}

/// Standard output is logged as information, standard error as an error.
fn log_vectors(caller: &mut Caller<'_, Host>, file: u32, at: u32, count: u32, to: u32) -> Result<(), Fault> {
    let (memory, host) = parts(caller)?;
    let mut text = Vec::new();
    for vector in slice(memory, at, count.saturating_mul(8))?.chunks_exact(8) {
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
        let (address, len) = vector.split_at(4);
        let part = slice(memory, number(address), number(len))?;
        // Vectors may overlap: without a bound a small guest could ask for a lot of the host's memory.
        text.extend_from_slice(part.get(..MOST - text.len()).unwrap_or(part));
    }
    let written = u32::try_from(text.len()).unwrap_or(u32::MAX);
    host.log(if file == 1 { log::Level::Info } else { log::Level::Error }, text.trim_ascii_end());
    write_u32(memory, to, written)
}

/// Bytes of one write that are logged; the guest is told so and may write the rest again.
const MOST: usize = 65_536;

fn errno(result: Result<(), Fault>) -> u32 {
    result.map_or(Errno::Fault, |()| Errno::Success) as u32
}
