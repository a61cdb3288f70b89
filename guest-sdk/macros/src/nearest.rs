//! What to say to somebody who wrote an unknown name. The macros say it when a
//! crate compiles, and the SDK, which includes this file, when rules are read.

/// The candidate that `name` is probably a slip of, or all there are.
pub(crate) fn hint(name: &str, candidates: &[&str]) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean \"{candidate}\"?"),
        None if candidates.is_empty() => "there is none".to_owned(),
        None => format!("there is {}", candidates.join(", ")),
    }
}

/// The candidate nearest to `name`, if that takes at most one edit in three
/// characters, where an edit adds, drops, replaces or swaps.
fn nearest<'c>(name: &str, candidates: &[&'c str]) -> Option<&'c str> {
    candidates
        .iter()
        .map(|candidate| (edits(name, candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Edits between two names: optimal string alignment, on three rows of its
/// table. Long texts are not names, and as far as can be.
fn edits(left: &str, right: &str) -> usize {
    const MAX_CHARS: usize = 64;
    let left: Vec<char> = left.chars().take(MAX_CHARS + 1).collect();
    let right: Vec<char> = right.chars().take(MAX_CHARS + 1).collect();
    if left.len() > MAX_CHARS || right.len() > MAX_CHARS {
        return usize::MAX;
    }
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (y, l) in left.iter().enumerate() {
        let mut row = vec![y + 1];
        for (x, r) in right.iter().enumerate() {
            let replaced = above[x] + usize::from(l != r);
            let mut least = replaced.min(above[x + 1] + 1).min(row[x] + 1);
            if y > 0 && x > 0 && left[y - 1] == *r && right[x - 1] == *l {
                least = least.min(two_above[x - 1] + 1);
            }
            row.push(least);
        }
        two_above = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let check = |left, right, expected| {
            assert_eq!(edits(left, right), expected, "{left} {right}");
            assert_eq!(edits(right, left), expected, "{right} {left}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("abc", "adc", 1);
        check("abcd", "abdc", 1);
        check("kitten", "sitting", 3);
        check("é", "e", 1);
    }

    #[test]
    fn only_slips_are_taken_for_a_name() {
        let names = ["address", "connect_timeout"];
        assert_eq!(hint("adress", &names), "did you mean \"address\"?");
        assert_eq!(hint("port", &names), "there is address, connect_timeout");
        assert_eq!(hint("x", &[]), "there is none");
        assert_eq!(nearest(&"a".repeat(100_000), &names), None);
    }
}
