//! What a Kong says that does not start.

/// Kong's error without what was logged before it, the places in its own source, and advice on its command line.
pub fn essence(said: &str) -> &str {
    // `nginx: [error]` and `nginx: [emerg]`, else what Kong's command line says by itself.
    let start = ["nginx: [e", "Error: "].iter().find_map(|start| said.find(start));
    let said = said.get(start.unwrap_or_default()..).unwrap_or_default();
    let said = said.split("stack traceback:").next().unwrap_or_default();
    let said = said.split("Run with --v").next().unwrap_or_default();
    let first = said.lines().next().unwrap_or_default();
    let places = first.rmatch_indices(".lua:").next().map_or(0, |(at, dot)| at + dot.len());
    said[places..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim()
}

#[cfg(test)]
mod tests {
    use super::essence;

    #[test]
    fn what_kong_says_is_kept_and_where_in_its_source_is_not() {
        let said = "Error: /a/start.lua:99: nginx: [error] init_by_lua error: /a/init.lua:731: error parsing \
                    declarative config file /x/kong.yml:\nin 'nonsense': unknown field\nstack traceback:\n\t[C]: \
                    in function 'error'\n\n\n  Run with --v (verbose) or --vv (debug) for more details\n";
        assert_eq!(
            essence(said),
            "error parsing declarative config file /x/kong.yml:\nin 'nonsense': unknown field"
        );
        let said = "2026/01/02 03:04:05 [warn] 1#0: a.lua:1: of no use\nnginx: [emerg] bind() failed (98: Address in use)\n";
        assert_eq!(essence(said), "nginx: [emerg] bind() failed (98: Address in use)");
        assert_eq!(essence("sh: kong: not found\n"), "sh: kong: not found");
    }
}
