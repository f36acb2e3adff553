//! A worker may exit while a thread of the library runs. Then Lua's state is closed, which unloads the libraries that it
//! has loaded; this one must stay.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
