//! Runs suites as `cargo test` would, and can say of a test that it could not be tried here, and why.

use std::any::Any;
use std::panic::{self, resume_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// One promise, and what tries it.
#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub run: fn(),
}

/// The tests of one file. One that is left out is dead code, which the compiler reports.
#[macro_export]
macro_rules! tests {
    ($($test:ident),+ $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$($crate::Test {
            name: concat!(module_path!(), "::", stringify!($test)),
            run: $test,
        }),+];
    };
}

/// Ends the test as one that cannot be tried here. It is printed with the reason, and counted as ignored.
///
/// `HARNESS_REQUIRE` lists gateways that have to be there: with one of them absent the test fails.
pub fn skip(reason: impl Into<String>) -> ! {
    resume_unwind(Box::new(Skipped(reason.into())))
}

struct Skipped(String);

/// Runs what the command line asks for.
pub fn run(files: &[&[Test]]) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = files.iter().copied().flatten().map(|test| {
        let name = test.name.split_once("::").map_or(test.name, |(_, name)| name);
        let run = test.run;
        Trial::ignorable_test(name, move || {
            panic::catch_unwind(run).map_or_else(ended, |()| Ok(Completion::Completed))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// What a test that did not come to its end has died of.
fn ended(reason: Box<dyn Any + Send>) -> Result<Completion, Failed> {
    match reason.downcast::<Skipped>() {
        Ok(skipped) => Ok(Completion::ignored_with(skipped.0)),
        // Its words have been printed by the panic's hook.
        Err(other) => resume_unwind(other),
    }
}
