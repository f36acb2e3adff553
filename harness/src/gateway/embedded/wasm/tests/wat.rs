//! Small filters, written in WebAssembly's text format.

use std::fmt::Write as _;

/// A module that imports every host call under its short name (`$get_property`), and allocates without ever freeing.
///
/// Bytes 0 to 7 are where host calls return an address and a length; texts lie from 1024 on.
pub(crate) struct Wat {
    abi: &'static str,
    body: String,
    texts: String,
    next: usize,
}

/// Where a call returns what it hands over.
pub(crate) const RETURN: &str = "(i32.const 0) (i32.const 4)";
/// What it handed over last.
pub(crate) const RETURNED: &str = "(i32.load (i32.const 0)) (i32.load (i32.const 4))";
pub(crate) const REQUEST: &str = "(i32.const 0)";
pub(crate) const RESPONSE: &str = "(i32.const 2)";
pub(crate) const NOTHING: &str = "(i32.const 0) (i32.const 0)";
pub(crate) const CONTINUE: &str = "(i32.const 0)";
pub(crate) const PAUSE: &str = "(i32.const 1)";

/// Host calls and their arguments: `i` for 32 bits, `I` for 64.
pub(crate) const IMPORTS: &[(&str, &str)] = &[
    ("log", "iii"),
    ("get_log_level", "i"),
    ("get_current_time_nanoseconds", "i"),
    ("get_buffer_bytes", "iiiii"),
    ("get_configuration", "ii"),
    ("get_header_map_pairs", "iii"),
    ("set_header_map_pairs", "iii"),
    ("get_header_map_value", "iiiii"),
    ("add_header_map_value", "iiiii"),
    ("replace_header_map_value", "iiiii"),
    ("remove_header_map_value", "iii"),
    ("get_header_map_size", "ii"),
    ("get_property", "iiii"),
    ("set_property", "iiii"),
    ("send_local_response", "iiiiiiii"),
    ("define_metric", "iiii"),
    ("increment_metric", "iI"),
    ("record_metric", "iI"),
    ("get_metric", "ii"),
    ("set_effective_context", "i"),
    ("done", ""),
    ("http_call", "iiiiiiiiii"),
    ("get_shared_data", "iiiii"),
    ("set_tick_period_milliseconds", "i"),
    ("call_foreign_function", "iiiiii"),
];

impl Wat {
    pub(crate) fn new() -> Self {
        Self { abi: "0_2_1", body: String::new(), texts: String::new(), next: 1024 }
    }

    pub(crate) fn abi(mut self, abi: &'static str) -> Self {
        self.abi = abi;
        self
    }

    /// Puts a text into memory; the answer is its address and length as two arguments.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let at = self.next;
        self.next += text.len();
        let bytes: String = text.bytes().fold(String::new(), |mut all, byte| {
            write!(all, "\\{byte:02x}").unwrap();
            all
        });
        write!(self.texts, "(data (i32.const {at}) \"{bytes}\")").unwrap();
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Adds anything that a module may have.
    pub(crate) fn add(mut self, item: &str) -> Self {
        self.body.push_str(item);
        self
    }

    /// What happens on a request's headers; `$context` is there. The code leaves an action.
    pub(crate) fn on_request(self, code: &str) -> Self {
        self.add(&format!(
            "(func (export \"proxy_on_request_headers\") (param $context i32) (param i32 i32) (result i32) {code})"
        ))
    }

    pub(crate) fn on_response(self, code: &str) -> Self {
        self.add(&format!(
            "(func (export \"proxy_on_response_headers\") (param $context i32) (param i32 i32) (result i32) {code})"
        ))
    }

    /// What happens when a root is configured; `$context` and `$size` are there. The code leaves 1 or 0.
    pub(crate) fn on_configure(self, code: &str) -> Self {
        self.add(&format!(
            "(func (export \"proxy_on_configure\") (param $context i32) (param $size i32) (result i32) {code})"
        ))
    }

    pub(crate) fn source(&self) -> String {
        let mut imports = String::new();
        for (name, arguments) in IMPORTS {
            let arguments = arguments.replace('i', " i32").replace('I', " i64");
            let import =
                format!("(import \"env\" \"proxy_{name}\" (func ${name} (param {arguments}) (result i32)))");
            imports.push_str(&import);
        }
        format!(
            "(module {imports} (memory (export \"memory\") 2) (global $heap (mut i32) (i32.const 65536)) {texts}
            (func (export \"proxy_abi_version_{abi}\"))
            (func (export \"proxy_on_context_create\") (param i32 i32))
            (func $allocate (export \"proxy_on_memory_allocate\") (param $size i32) (result i32)
              (global.get $heap)
              (global.set $heap (i32.add (global.get $heap) (local.get $size))))
            (func $expect (param $status i32) (param $expected i32)
              (if (i32.ne (local.get $status) (local.get $expected)) (then (unreachable))))
            (func $ok (param $status i32) (call $expect (local.get $status) (i32.const 0)))
            (func $answer (param $status i32)
              (call $ok (call $send_local_response (local.get $status) {NOTHING} {NOTHING} {NOTHING} (i32.const -1))))
            {body})",
            texts = self.texts,
            abi = self.abi,
            body = self.body
        )
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        ::wat::parse_str(self.source()).unwrap_or_else(|error| panic!("{error}\n{}", self.source()))
    }
}
