//! Empty lists, as Lua hands them over.
#![allow(clippy::unwrap_used, unsafe_code)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "every block calls the library with what this file has made"
)]

use std::ptr;

use mtls_policy::policy::schema;
use mtls_policy_native::exports::*;

#[path = "../../../filter/tests/lists/mod.rs"]
mod lists;

#[test]
fn an_empty_object_is_an_empty_list_in_every_field() {
    for list in lists::all(&schema::policy()) {
        assert_eq!(problems(&list.object), problems(&list.array), "{}: {}", list.path, list.object);
    }
}

fn problems(document: &str) -> Option<String> {
    unsafe {
        let policy = mtls_policy_compile(document.as_ptr(), document.len(), ptr::null());
        let text = mtls_policy_problems(policy);
        let problems = (!text.data.is_null()).then(|| {
            let bytes = std::slice::from_raw_parts(text.data, text.len.try_into().unwrap());
            String::from_utf8_lossy(bytes).into_owned()
        });
        mtls_policy_free(policy);
        problems
    }
}
