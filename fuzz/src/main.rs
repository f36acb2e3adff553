//! libFuzzer around one target, which `FUZZ_TARGET` names; see `fuzz.sh`.
#![cfg_attr(guided, no_main)]

#[cfg(guided)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static CHOSEN: std::sync::LazyLock<fn(&[u8])> = std::sync::LazyLock::new(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = fuzz::TARGETS.iter().find(|target| target.name == name);
        found.unwrap_or_else(|| panic!("FUZZ_TARGET: there is no target {name:?}")).run
    });
    CHOSEN(data);
});

#[cfg(not(guided))]
fn main() {
    for target in fuzz::TARGETS {
        println!("{}", target.name);
    }
}
