//! The functions that Lua calls for request bodies.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::c_uchar;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::body::{self, Kind, Rejection};
use crate::exports::bytes;
use crate::text::{Field, Text, fields};

/// What was read from a body. Valid until [`mtls_policy_body_release`], or this thread's next body.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// Names and values. Two values of one name mean that there are several, or one that is no string.
    pub values: *const Field,
    pub values_len: usize,
    /// The body without the named fields; absent where it has none, or this was not asked for.
    pub rest: Text,
    /// Why the body cannot be read.
    pub reason: Text,
}

#[derive(Default)]
struct Kept {
    texts: Vec<Vec<u8>>,
    fields: Vec<Field>,
    rest: Vec<u8>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

const NOTHING: Body = Body { values: ptr::null(), values_len: 0, rest: Text::ABSENT, reason: Text::ABSENT };
const UNREADABLE: Rejection = Rejection { status: 400, reason: "the body cannot be read" };

/// Reads the fields of a body whose names are those of `names` (their values are not used). `kind`: 0 a form, 1 JSON,
/// 2 multipart/form-data. With `hide`, returns also the body without these fields. Returns 0, or the status with which
/// a body is rejected that cannot be read.
///
/// # Safety
/// `content_type` and `data` point to as many bytes as they say, or that is 0. `names` is null or points to `names_len`
/// fields. `out` is null or a body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mtls_policy_body_read(
    kind: u8,
    content_type: *const c_uchar,
    content_type_len: usize,
    data: *const c_uchar,
    len: usize,
    names: *const Field,
    names_len: usize,
    hide: bool,
    out: *mut Body,
) -> u16 {
    // SAFETY: as the caller promises.
    let Some(out) = (unsafe { out.as_mut() }) else { return UNREADABLE.status };
    *out = NOTHING;
    // SAFETY: as the caller promises.
    let (content_type, data) = unsafe { (bytes(content_type, content_type_len), bytes(data, len)) };
    // SAFETY: as the caller promises.
    let Ok(names) = (unsafe { fields(names, names_len) }) else { return UNREADABLE.status };
    // SAFETY: as the caller promises.
    let names: Vec<&[u8]> = names.iter().map(|field| unsafe { field.pair() }.0).collect();
    let kind = match kind {
        0 => Kind::Form,
        1 => Kind::Json,
        2 => Kind::Multipart,
        _ => return UNREADABLE.status,
    };
    let read = catch_unwind(AssertUnwindSafe(|| {
        let found = body::read(kind, content_type, data, &names)?;
        let rest = if hide && found.is_any() { Some(found.remove_from(kind, data)) } else { None };
        Ok((found.values, rest))
    }));
    match read.unwrap_or(Err(UNREADABLE)) {
        Ok((values, rest)) => KEPT.with_borrow_mut(|kept| {
            *kept = Kept::default();
            let has_rest = rest.is_some();
            kept.rest = rest.unwrap_or_default();
            for (name, value) in values {
                kept.texts.push(Cow::into_owned(value));
                let value = kept.texts.last().map_or(Text::ABSENT, |value| Text::of(value));
                kept.fields
                    .push(Field { name: names.get(name).map_or(Text::ABSENT, |name| Text::of(name)), value });
            }
            *out = Body {
                values: kept.fields.as_ptr(),
                values_len: kept.fields.len(),
                rest: if has_rest { Text::of(&kept.rest) } else { Text::ABSENT },
                reason: Text::ABSENT,
            };
            0
        }),
        Err(rejection) => {
            out.reason = Text::of(rejection.reason.as_bytes());
            rejection.status
        }
    }
}

/// Frees what was read from this thread's last body.
#[unsafe(no_mangle)]
pub extern "C" fn mtls_policy_body_release() {
    KEPT.with_borrow_mut(|kept| *kept = Kept::default());
}
