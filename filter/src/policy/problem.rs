use std::fmt::{self, Write};

/// What is wrong with a policy, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the document: `rules[2].match.methods[0]`; empty: the document itself.
    pub path: String,
    pub message: String,
}

/// All that is wrong with a policy; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => {
                // A field's name may hold a line of its own.
                let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
                path.chars().map(plain).try_for_each(|c| f.write_char(c))?;
                write!(f, ": {}", self.message)
            }
        }
    }
}

/// One a line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// `did you mean "x"?` in parentheses, where one of the words is near; else nothing.
pub(super) fn did_you_mean<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    if typed.len() > LONGEST_TYPO {
        return String::new();
    }
    let letters = |word: &str| word.chars().map(|letter| letter.to_ascii_lowercase()).collect::<Vec<_>>();
    let typed = letters(typed);
    let near = words
        .into_iter()
        .take(MOST_WORDS)
        .filter_map(|word| {
            let word_letters = letters(word);
            let most = (word_letters.len() / 3).max(1);
            distance(&typed, &word_letters, most).map(|distance| (distance, word))
        })
        .min_by_key(|(distance, _)| *distance);
    near.map(|(_, word)| format!(" (did you mean {word:?}?)")).unwrap_or_default()
}

/// How many letters have to be put in, taken out, exchanged, or swapped with their neighbor; `None` if more than `most`.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most || b.len() >= ROW {
        return None;
    }
    // Of this row and the two before it.
    let mut rows = [[0; ROW]; 3];
    for (j, distance) in rows[0].iter_mut().enumerate() {
        *distance = j;
    }
    for i in 1..=a.len() {
        let [before, last, row] = [(i + 1) % 3, (i - 1) % 3, i % 3];
        rows[row][0] = i;
        for j in 1..=b.len() {
            let exchanged = rows[last][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = exchanged.min(rows[last][j] + 1).min(rows[row][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[before][j - 2] + 1);
            }
            rows[row][j] = least;
        }
        let of_both = rows[row][..=b.len()].iter().chain(&rows[last][..=b.len()]);
        if of_both.into_iter().all(|distance| *distance > most) {
            return None;
        }
    }
    Some(rows[a.len() % 3][b.len()]).filter(|distance| *distance <= most)
}

/// Nobody mistypes more, and comparing takes time and room by the product of lengths.
const LONGEST_TYPO: usize = 64;

/// A document may have a thousand mistakes and a thousand words: comparing all with all would stall a worker.
const MOST_WORDS: usize = 100;

/// One more than the letters of the longest word that is compared.
const ROW: usize = LONGEST_TYPO * 3 / 2 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_one_line_whatever_a_field_is_called() {
        let told =
            |path: &str| Problem { path: path.to_owned(), message: "is missing".to_owned() }.to_string();
        assert_eq!(told("rules[0].match.headers.x-shift"), "rules[0].match.headers.x-shift: is missing");
        assert_eq!(told("a\nerror: all is well\u{7f}"), "a\u{fffd}error: all is well\u{fffd}: is missing");
    }

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        let methods = ["GET", "POST", "PUT"];
        assert_eq!(did_you_mean("PSOT", methods), " (did you mean \"POST\"?)");
        assert_eq!(did_you_mean("key_nmaes", ["key_names"]), " (did you mean \"key_names\"?)");
        assert_eq!(did_you_mean("vets", ["vet"]), " (did you mean \"vet\"?)");
        assert_eq!(did_you_mean("BREW", methods), "");
        // A third of a word's letters may be wrong.
        assert_eq!(
            did_you_mean("hid_credential", ["hide_credentials"]),
            " (did you mean \"hide_credentials\"?)"
        );
        assert_eq!(did_you_mean("abcxyz", ["abcdef"]), "");
    }

    #[test]
    fn what_is_longer_than_any_typo_is_compared_with_nothing() {
        let word = "x".repeat(LONGEST_TYPO);
        assert_eq!(did_you_mean(&word, [&*word]), format!(" (did you mean {word:?}?)"));
        assert_eq!(did_you_mean(&format!("{word}x"), [&*word]), "");
        assert_eq!(did_you_mean(&format!("{word}xx"), [&*word]), "");
    }

    #[test]
    fn a_distance_counts_letters() {
        let rows = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("a", "ab", 1),
            ("ab", "b", 1),
            ("ab", "ba", 1),
            ("abcd", "abdc", 1),
            ("abcd", "acbd", 1),
            ("aab", "aba", 1),
            ("ca", "abc", 3),
            ("abc", "xyz", 3),
            ("kitten", "sitting", 3),
        ];
        for (a, b, expected) in rows {
            let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&left, &right, expected), Some(expected), "{a} {b}");
            assert_eq!(distance(&right, &left, 9), Some(expected), "{a} {b}");
            if expected > 0 {
                assert_eq!(distance(&left, &right, expected - 1), None, "{a} {b}");
            }
        }
    }

    #[test]
    fn every_problem_is_told() {
        let problem = |path: &str| Problem { path: path.to_owned(), message: "is missing".to_owned() };
        let problems = Problems(vec![problem("a"), problem("b"), problem("")]);
        assert_eq!(problems.iter().map(|problem| &*problem.path).collect::<Vec<_>>(), ["a", "b", ""]);
        assert_eq!(problems.to_string(), "a: is missing\nb: is missing\nis missing");
    }
}
