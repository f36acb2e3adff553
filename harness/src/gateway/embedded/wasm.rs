//! proxy-wasm filters in wasmtime, under the ABI as a real Kong 3.9 was seen to offer it.

/// Names and values as they travel, `:method`, `:path`, `:scheme` and `:authority` of a request among them.
/// Names are lower case where the host made them; a lookup is without regard to case.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// What a filter may ask and change beside headers, for one request.
pub trait Properties {
    /// The value at a path whose segments are joined by `.`, as ngx_wasm_module does. `None` is no error to a filter.
    fn get(&mut self, path: &str) -> Option<Vec<u8>>;

    /// Sets a property.
    ///
    /// # Errors
    /// There is no such property to set, or its owner refuses the value: the filter traps, as on Kong.
    fn set(&mut self, path: &str, value: &[u8]) -> Result<(), Unsettable>;
}

/// A property that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettable;
