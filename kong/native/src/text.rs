//! Bytes as C has them.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uchar};
use std::ptr;
use std::slice;

/// Bytes that somebody else owns; no `data`: absent. Laid out as OpenResty's `ngx_http_lua_ffi_str_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub len: c_int,
    pub data: *const c_uchar,
}

/// A name and a value. Laid out as OpenResty's `ngx_http_lua_ffi_table_elt_t`, so that request headers are handed over as
/// nginx has them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: Text,
    pub value: Text,
}

/// What was handed over cannot be what it is said to be: a negative length, or text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Text {
    pub const ABSENT: Self = Self { len: 0, data: ptr::null() };

    /// Bytes longer than an `int` counts are absent: no policy and no request holds any.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match c_int::try_from(bytes.len()) {
            Ok(len) => Self { len, data: bytes.as_ptr() },
            Err(_) => Self::ABSENT,
        }
    }

    /// # Safety
    /// `data` is null, or points to `len` bytes that nobody changes while `'a` lasts.
    pub(crate) unsafe fn get<'a>(self) -> Result<Option<&'a [u8]>, Malformed> {
        if self.data.is_null() {
            return Ok(None);
        }
        let len = usize::try_from(self.len).map_err(|_| Malformed)?;
        // SAFETY: not null, and as many bytes as the caller promises, for as long.
        Ok(Some(unsafe { slice::from_raw_parts(self.data, len) }))
    }

    /// # Safety
    /// As for [`get`](Self::get).
    pub(crate) unsafe fn bytes<'a>(self) -> Result<&'a [u8], Malformed> {
        // SAFETY: the caller's promise is the same.
        Ok(unsafe { self.get() }?.unwrap_or_default())
    }

    /// # Safety
    /// As for [`get`](Self::get).
    pub(crate) unsafe fn str<'a>(self) -> Result<Option<&'a str>, Malformed> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.get() }?.map(|bytes| str::from_utf8(bytes).map_err(|_| Malformed)).transpose()
    }
}

impl Field {
    fn is_well_formed(&self) -> bool {
        self.name.len >= 0 && self.value.len >= 0
    }

    /// # Safety
    /// As for [`Text::get`], of name and value.
    pub(crate) unsafe fn pair<'a>(&self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: the caller's promise is the same. What is malformed was refused by `fields`.
        unsafe { (self.name.bytes().unwrap_or_default(), self.value.bytes().unwrap_or_default()) }
    }
}

/// A list of fields, each of them well-formed.
///
/// # Safety
/// `first` is null with `len` 0, or points to `len` fields that nobody changes while `'a` lasts.
pub(crate) unsafe fn fields<'a>(first: *const Field, len: usize) -> Result<&'a [Field], Malformed> {
    if first.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(Malformed) };
    }
    // SAFETY: not null, and as many fields as the caller promises, for as long.
    let fields = unsafe { slice::from_raw_parts(first, len) };
    if fields.iter().all(Field::is_well_formed) { Ok(fields) } else { Err(Malformed) }
}
