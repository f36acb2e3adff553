//! A decision in wasm, where there is no host to call: what is left of a request when its host's part is not counted.

use std::path::Path;

use anyhow::{anyhow, ensure};
use serde::Serialize;
use wasmtime::{Engine, Instance, Module, Store, TypedFunc};

use super::alone::thread_time;
use super::spread::Spread;

/// Decisions under a policy of so many keys, 1,000 of which are used in turn.
#[derive(Clone, Debug, Serialize)]
pub struct Decisions {
    pub keys: u32,
    pub microseconds: Option<Spread>,
}

/// Measures with a module that asks itself.
///
/// # Errors
/// It is not there, or it refuses its own requests.
pub fn decisions(rounds: usize, module: &Path) -> anyhow::Result<Vec<Decisions>> {
    ensure!(module.is_file(), "there is no {}: run `make bench-filter`", module.display());
    measure(rounds, module).map_err(|error| anyhow!("{}: {error:#}", module.display()))
}

fn measure(rounds: usize, module: &Path) -> wasmtime::Result<Vec<Decisions>> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, module)?;
    let mut all = Vec::new();
    for keys in [1_000, 100_000] {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let prepare: TypedFunc<u32, ()> = instance.get_typed_func(&mut store, "prepare")?;
        let decide: TypedFunc<u32, u32> = instance.get_typed_func(&mut store, "decide")?;
        prepare.call(&mut store, keys)?;
        let mut turn = || {
            let started = thread_time();
            let allowed = decide.call(&mut store, TIMES)?;
            let time = thread_time() - started;
            wasmtime::ensure!(allowed == TIMES, "a request is refused");
            Ok((time / TIMES).as_secs_f64() * 1e6)
        };
        // The first one warms up.
        let turns = (0..=rounds).map(|_| turn()).skip(1).collect::<wasmtime::Result<Vec<_>>>()?;
        all.push(Decisions { keys, microseconds: Spread::of(turns) });
    }
    Ok(all)
}

const TIMES: u32 = 100_000;
