//! Proxy-Wasm ABI 0.2.1, as far as this filter uses it: what it asks of its host.
//!
//! Not the Rust SDK's: that exports every callback there is, and each is a crossing from the host into wasm and back
//! for every request; it keeps each context in a map and a box; and its calls end the filter on a status that they
//! do not know. What the host calls is in [`proxy`](crate::proxy).
#![allow(unsafe_code)]

use smallvec::SmallVec;

use crate::pairs::{self, Pairs};

/// Why a host call did not succeed: the ABI's `proxy_status_t`, which is never 0 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u32);

impl Status {
    pub(crate) const BAD_ARGUMENT: Self = Self(2);
    const NOT_FOUND: Self = Self(1);
}

/// The ABI's log levels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Info = 2,
    Error = 4,
    Critical = 5,
}

/// The request's headers.
///
/// # Errors
/// The host does not hand them over.
pub(crate) fn request_headers() -> Result<Pairs, Status> {
    // SAFETY: the host writes to where the two point, or not at all.
    let pairs = unsafe { received(|at, size| proxy_get_header_map_pairs(REQUEST_HEADERS, at, size)) };
    Ok(Pairs::received(pairs?.unwrap_or_default()))
}

/// Sets a header of the request; it is there once then.
///
/// # Errors
/// The host refuses.
pub(crate) fn set_request_header(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths are those of slices, which the host reads.
    checked(unsafe {
        proxy_replace_header_map_value(
            REQUEST_HEADERS,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Takes a header of the request away.
///
/// # Errors
/// The host refuses.
pub(crate) fn remove_request_header(name: &[u8]) -> Result<(), Status> {
    // SAFETY: as above.
    checked(unsafe { proxy_remove_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len()) })
}

/// A property by its segments; `None` where the host has none of that name.
///
/// # Errors
/// The host fails.
pub(crate) fn property(path: &[&[u8]]) -> Result<Option<Vec<u8>>, Status> {
    let path = joined(path);
    // SAFETY: as above, in both ways.
    unsafe { received(|at, size| proxy_get_property(path.as_ptr(), path.len(), at, size)) }
}

/// # Errors
/// The host refuses. Kong ends the filter where nobody answers that property.
pub(crate) fn set_property(path: &[&[u8]], value: &[u8]) -> Result<(), Status> {
    let path = joined(path);
    // SAFETY: as above.
    checked(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

fn joined(path: &[&[u8]]) -> SmallVec<[u8; USUAL_PATH]> {
    let mut joined = SmallVec::new();
    for (number, segment) in path.iter().enumerate() {
        if number > 0 {
            joined.push(0);
        }
        joined.extend_from_slice(segment);
    }
    joined
}

/// Long enough for most properties.
const USUAL_PATH: usize = 128;

/// The policy, of a size that the host has announced.
///
/// # Errors
/// The host does not hand it over.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: the host writes to where the two point, or not at all.
    let document =
        unsafe { received(|at, length| proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, at, length)) };
    Ok(document?.unwrap_or_default())
}

/// Seconds since 1970.
///
/// # Errors
/// The host has no clock.
pub(crate) fn now() -> Result<i64, Status> {
    let mut nanoseconds = 0u64;
    // SAFETY: the host writes eight bytes to there.
    checked(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) })?;
    Ok(i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX))
}

/// Answers the client; the request goes no further.
///
/// # Errors
/// The host refuses.
pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Status> {
    const NO_GRPC_STATUS: i32 = -1;
    let pairs = pairs::written(headers);
    // SAFETY: pointers and lengths are those of slices, which the host reads.
    checked(unsafe {
        proxy_send_local_response(
            status.into(),
            std::ptr::null(),
            0,
            body.as_ptr(),
            body.len(),
            pairs.as_ptr(),
            pairs.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Writes to the host's log; what it cannot log is lost.
pub(crate) fn log(level: Level, text: &str) {
    // SAFETY: pointer and length are those of a slice, which the host reads.
    unsafe { proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// Memory that the host fills and hands over: [`received`] takes it back.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    // Of just that capacity, on which `received` relies. Nothing at all is as good as anything: no host calls for it.
    Box::into_raw(vec![0u8; size].into_boxed_slice()).cast()
}

/// What a host call hands over; `None` where it has nothing of that kind.
///
/// # Safety
/// What the call writes to the two are an address and a length that one call of [`proxy_on_memory_allocate`] has had
/// and given, or nothing.
unsafe fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, Status> {
    let (mut at, mut size) = (std::ptr::null_mut(), 0);
    match checked(call(&raw mut at, &raw mut size)) {
        Err(Status::NOT_FOUND) => Ok(None),
        Err(status) => Err(status),
        Ok(()) if at.is_null() => Ok(Some(Vec::new())),
        // SAFETY: it was allocated as a boxed slice of that size, and the host keeps none of it.
        Ok(()) => Ok(Some(unsafe { Vec::from_raw_parts(at, size, size) })),
    }
}

fn checked(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(to: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, from: usize, most: usize, at: *mut *mut u8, size: *mut usize)
    -> u32;
    fn proxy_get_header_map_pairs(kind: u32, at: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        kind: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(kind: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, at: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}
