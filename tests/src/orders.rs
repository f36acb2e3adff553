//! Every order of a few things.

/// Every order in which these may come.
pub fn permutations<'a>(of: &[&'a str]) -> Vec<Vec<&'a str>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let beginning_with = |first: usize| {
        let rest: Vec<_> = [&of[..first], &of[first + 1..]].concat();
        permutations(&rest).into_iter().map(move |order| [vec![of[first]], order].concat())
    };
    (0..of.len()).flat_map(beginning_with).collect()
}
