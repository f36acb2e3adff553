//! The functions that Lua calls for consumers files.
//!
//! A thread of the library reads a file; the caller starts it, and polls for its outcome. No function but
//! [`mtls_policy_consumers_file_wait`] blocks.
#![allow(unsafe_code)]

use std::ffi::{OsStr, c_uchar};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

use crate::consumers;
use crate::consumers_file::Poll;
use crate::exports::{bytes, free, owned};
use crate::{Consumers, ConsumersFile, Text};

/// Returns a handle for the file of this path. Nothing is read yet. Never null.
///
/// # Safety
/// `path` points to `len` bytes, or `len` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_open(
    path: *const c_uchar,
    len: usize,
) -> *mut ConsumersFile {
    // SAFETY: as the caller promises.
    let path = unsafe { bytes(path, len) };
    owned(|| ConsumersFile::new(OsStr::from_bytes(path).into()), || ConsumersFile::new("".into()))
}

/// Starts to read the file in a thread, unless one reads already, or its outcome was not polled yet.
///
/// # Safety
/// `file` is null or came from [`mtls_policy_consumers_file_open`] and is not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_start(file: *const ConsumersFile) {
    // SAFETY: as the caller promises.
    let Some(file) = (unsafe { file.as_ref() }) else { return };
    let _ = catch_unwind(AssertUnwindSafe(|| file.start()));
}

/// Returns what reading has led to, once:
///
/// - 0: a thread is reading
/// - 1: nothing has changed, or nothing was started
/// - 2: the file was loaded; [`mtls_policy_consumers_file_take`] returns its consumers
/// - 3: the file has again the content that was loaded last
/// - 4: the file is not valid; [`mtls_policy_consumers_file_error`] returns why
///
/// # Safety
/// As for [`mtls_policy_consumers_file_start`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_poll(file: *mut ConsumersFile) -> u8 {
    // SAFETY: as the caller promises.
    let Some(file) = (unsafe { file.as_mut() }) else { return Poll::Unchanged as u8 };
    catch_unwind(AssertUnwindSafe(|| file.poll())).unwrap_or(Poll::Unchanged) as u8
}

/// Blocks until no thread reads, or so many milliseconds have passed.
///
/// # Safety
/// As for [`mtls_policy_consumers_file_start`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_wait(file: *const ConsumersFile, milliseconds: u32) {
    // SAFETY: as the caller promises.
    let Some(file) = (unsafe { file.as_ref() }) else { return };
    let _ = catch_unwind(AssertUnwindSafe(|| file.wait(Duration::from_millis(milliseconds.into()))));
}

/// Returns the consumers that the last poll has found loaded, for the caller to free; null: there are none, or they
/// were taken.
///
/// # Safety
/// As for [`mtls_policy_consumers_file_start`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_take(file: *mut ConsumersFile) -> *mut Consumers {
    // SAFETY: as the caller promises.
    let taken = unsafe { file.as_mut() }.and_then(ConsumersFile::take);
    taken.map_or(ptr::null_mut(), |consumers| Box::into_raw(Box::new(consumers)))
}

/// Returns why the last poll has found the file not valid, one problem per line. Valid until the next poll.
///
/// # Safety
/// As for [`mtls_policy_consumers_file_start`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_error(file: *const ConsumersFile) -> Text {
    // SAFETY: as the caller promises.
    unsafe { file.as_ref() }.map_or(Text::ABSENT, ConsumersFile::error)
}

/// Frees a handle. A thread that reads ends by itself.
///
/// # Safety
/// As for [`mtls_policy_consumers_file_start`]; it is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_file_free(file: *mut ConsumersFile) {
    // SAFETY: as the caller promises: what `owned` gave, given back once.
    unsafe { free(file) };
    consumers::reclaim();
}

/// Returns how many keys consumers have.
///
/// # Safety
/// `consumers` is null or came from [`mtls_policy_consumers_file_take`] and is not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_keys(consumers: *const Consumers) -> usize {
    // SAFETY: as the caller promises.
    unsafe { consumers.as_ref() }.map_or(0, Consumers::keys)
}

/// Frees consumers. Policies that were compiled with them keep what they need.
///
/// # Safety
/// As for [`mtls_policy_consumers_keys`]; they are not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_consumers_free(consumers: *mut Consumers) {
    // SAFETY: as the caller promises: what `take` gave, given back once.
    unsafe { free(consumers) };
    consumers::reclaim();
}
