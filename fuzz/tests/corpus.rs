//! Every target over its corpus, and over what is cut off and changed in it: a minute of `make fuzz` says more, but this
//! needs nothing but a compiler.

use std::fs;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn every_target_bears_its_corpus() {
    for target in &TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let mut inputs = 0;
        for entry in
            fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        {
            let data = fs::read(entry.unwrap().path()).unwrap();
            (target.run)(&data);
            for at in (0..data.len()).step_by(1 + data.len() / CHANGES) {
                (target.run)(&data[..at]);
                let mut changed = data.clone();
                changed[at] ^= 1 << (at % 8);
                (target.run)(&changed);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{} has no corpus", target.name);
        println!("{}: {inputs} inputs", target.name);
    }
}

/// Of each input, at the most.
const CHANGES: usize = 16;
