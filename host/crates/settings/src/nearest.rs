//! Finds the name that somebody meant.

/// The candidate nearest to `name`, if one is so near that `name` is probably
/// a slip of it: at most one edit in three characters, where an edit adds,
/// drops, replaces or swaps.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= allowed(candidate))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// What to say to somebody who wrote the unknown name `name`: the candidate it
/// is a slip of, or all there are.
#[must_use]
pub fn hint<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(name, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean \"{candidate}\"?"),
        None if candidates.is_empty() => "there is none".to_owned(),
        None => format!("there is {}", candidates.join(", ")),
    }
}

fn allowed(candidate: &str) -> usize {
    (candidate.chars().count() / 3).max(1)
}

/// Edits between two names (optimal string alignment). Long texts are not
/// names: they are as far as can be, so that the table stays small.
fn edits(left: &str, right: &str) -> usize {
    const MAX_CHARS: usize = 64;
    let left: Vec<char> = left.chars().take(MAX_CHARS + 1).collect();
    let right: Vec<char> = right.chars().take(MAX_CHARS + 1).collect();
    if left.len() > MAX_CHARS || right.len() > MAX_CHARS {
        return usize::MAX;
    }
    let width = right.len() + 1;
    let mut table: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (above, &l) in left.iter().enumerate() {
        let mut row = vec![above + 1];
        for (before, &r) in right.iter().enumerate() {
            let at = |row: usize, column: usize| table.get(row).and_then(|row| row.get(column));
            let replaced = at(above, before).map(|edits| edits + usize::from(l != r));
            let dropped = at(above, before + 1).map(|edits| edits + 1);
            let added = row.get(before).map(|edits| edits + 1);
            let swaps = above > 0
                && before > 0
                && left.get(above - 1) == Some(&r)
                && right.get(before - 1) == Some(&l);
            let swapped = if swaps {
                at(above - 1, before - 1).map(|edits| edits + 1)
            } else {
                None
            };
            let least = [replaced, dropped, added, swapped]
                .into_iter()
                .flatten()
                .min();
            row.push(least.unwrap_or(usize::MAX));
        }
        table.push(row);
    }
    table
        .last()
        .and_then(|row| row.last())
        .copied()
        .unwrap_or(usize::MAX)
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
        check("abc", "abc", 0);
        check("abc", "adc", 1);
        check("abc", "ac", 1);
        check("abcd", "abdc", 1);
        check("kitten", "sitting", 3);
        check("é", "e", 1);
    }

    #[test]
    fn only_slips_are_taken_for_a_name() {
        let names = ["address", "connect_timeout", "max_greeting"];
        assert_eq!(nearest("adress", names), Some("address"));
        assert_eq!(nearest("max_greetign", names), Some("max_greeting"));
        assert_eq!(nearest("port", names), None);
        assert_eq!(nearest(&"a".repeat(100_000), names), None);
        assert_eq!(hint("adress", names), "did you mean \"address\"?");
        assert_eq!(hint("x", ["a/b", "c/d"]), "there is a/b, c/d");
        assert_eq!(hint("x", []), "there is none");
    }
}
