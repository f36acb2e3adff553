//! API keys in bodies: what is left of a body has no field with the name of a key.

use mtls_policy_native::body::{Kind, read};

/// The first byte selects the kind of body.
pub(super) fn run(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let (kind, content_type) = match first % 3 {
        0 => (Kind::Form, "application/x-www-form-urlencoded"),
        1 => (Kind::Json, "application/json"),
        _ => (Kind::Multipart, "multipart/form-data; boundary=b"),
    };
    let names: [&[u8]; 2] = [b"k", b"token"];
    let Ok(found) = read(kind, content_type.as_bytes(), body, &names) else { return };
    let rest = found.remove_from(kind, body);
    match read(kind, content_type.as_bytes(), &rest, &names) {
        Ok(again) => {
            assert!(!again.is_any() && again.values.is_empty(), "{:?}", String::from_utf8_lossy(&rest))
        }
        Err(rejection) => panic!("{rejection:?}: {:?}", String::from_utf8_lossy(&rest)),
    }
}
