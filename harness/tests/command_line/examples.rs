//! What `--help` shows.

use crate::verbs::leaves;

/// An example that is out of date is worse than none.
#[test]
fn every_verb_shows_examples_that_can_be_typed() {
    for (verb, mut command) in leaves() {
        let help = command.render_long_help().to_string();
        let heading = help.find("Example:").or_else(|| help.find("Examples:"));
        let Some(heading) = heading else { panic!("harness {verb} --help shows no example") };
        let lines = help[heading..].lines().skip(1).take_while(|line| line.starts_with("  "));
        let calls: Vec<_> = lines.flat_map(calls).collect();
        let of_it = calls.iter().filter(|call| call.join(" ").starts_with(&format!("harness {verb}")));
        assert!(of_it.count() > 0, "harness {verb} --help shows no call of it: {calls:?}");
        for call in &calls {
            let parsed = harness::cli::command().try_get_matches_from(call);
            if let Err(error) = parsed {
                panic!("harness {verb} --help shows {call:?}: {error}");
            }
        }
    }
}

/// Calls of the harness in a line of a shell's, without what goes where.
fn calls(line: &str) -> Vec<Vec<String>> {
    let commands = line.split(['|', '#']).flat_map(|part| part.split("&&"));
    let words = commands.map(|command| {
        let command = command.split(['>', '<']).next().unwrap_or_default();
        command.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    words.filter(|words| words.first().is_some_and(|first| first == "harness")).collect()
}
