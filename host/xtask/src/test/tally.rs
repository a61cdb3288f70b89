//! Reads the results of test programs, and sums them up.

use std::fmt;

/// Tests that ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The counts of each suite.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<(&'static str, Counts)>);

impl Tally {
    pub(crate) fn add(&mut self, suite: &'static str, counts: Counts) {
        self.0.push((suite, counts));
    }

    /// Nothing failed, and every suite ran something.
    pub(crate) fn is_green(&self) -> bool {
        !self.0.is_empty()
            && self
                .0
                .iter()
                .all(|(_, counts)| counts.failed == 0 && counts.passed > 0)
    }

    fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in &self.0 {
            sum.add(*counts);
        }
        sum
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<10} {:>7} {:>7}", "suite", "passed", "failed")?;
        for (suite, counts) in &self.0 {
            writeln!(f, "{suite:<10} {:>7} {:>7}", counts.passed, counts.failed)?;
        }
        let Counts { passed, failed } = self.sum();
        writeln!(f, "{passed} passed, {failed} failed")
    }
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`
pub(crate) fn read_cargo_line(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(read_counts(counts.split("; ")))
}

/// `===== 1 failed, 3 passed, 1 skipped in 0.12s =====`. A test that was
/// skipped, or broke in its set-up, has failed.
pub(crate) fn read_pytest_line(line: &str) -> Option<Counts> {
    let line = line.strip_prefix("==")?.trim_matches(['=', ' ']);
    let (counts, time) = line.rsplit_once(" in ")?;
    let seconds = time.split('s').next()?;
    seconds.parse::<f64>().ok()?;
    Some(read_counts(counts.split(", ")))
}

/// As [`read_pytest_line`], for a run in which listed tests have to fail: one
/// that fails as listed has passed.
pub(crate) fn read_pytest_line_with_listed(line: &str) -> Option<Counts> {
    let awaited = line
        .replace(" xfailed", " passed")
        .replace(" xpassed", " passed");
    read_pytest_line(&awaited)
}

fn read_counts<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let Some((number, word)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" | "skipped" | "xfailed" | "xpassed" => {
                counts.failed += number;
            }
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_writes() {
        let check = |line, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(passed, failed)| Counts { passed, failed });
            assert_eq!(read_cargo_line(line), expected, "{line}");
        };
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            Some((12, 0)),
        );
        check(
            "test result: FAILED. 2 passed; 1 failed; 0 ignored",
            Some((2, 1)),
        );
        check("test tally::tests::it ... ok", None);
        check("running 4 tests", None);
    }

    #[test]
    fn reads_what_pytest_writes() {
        let check = |line, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(passed, failed)| Counts { passed, failed });
            assert_eq!(read_pytest_line(line), expected, "{line}");
        };
        check("============ 3 passed in 0.12s ============", Some((3, 0)));
        check(
            "== 1 failed, 3 passed, 2 warnings in 61.20s (0:01:01) ==",
            Some((3, 1)),
        );
        check(
            "====== 2 passed, 1 skipped, 1 error in 4.00s ======",
            Some((2, 2)),
        );
        check("===== no tests ran in 0.01s =====", Some((0, 0)));
        check("== 5 passed, 2 xfailed in 1.0s ==", Some((5, 2)));
        let listed = read_pytest_line_with_listed("== 5 passed, 2 xfailed, 1 failed in 1.0s ==");
        assert_eq!(
            listed,
            Some(Counts {
                passed: 7,
                failed: 1
            })
        );
        check("===== test session starts =====", None);
        check("===== short test summary info =====", None);
        check("3 passed in 0.12s", None);
    }

    #[test]
    fn green_takes_tests_that_ran_and_none_that_failed() {
        let tally = |suites: &[(&'static str, u64, u64)]| {
            let mut tally = Tally::default();
            for &(suite, passed, failed) in suites {
                tally.add(suite, Counts { passed, failed });
            }
            tally
        };
        assert!(tally(&[("unit", 3, 0), ("e2e", 1, 0)]).is_green());
        assert!(!tally(&[("unit", 3, 0), ("e2e", 0, 0)]).is_green());
        assert!(!tally(&[("unit", 3, 1)]).is_green());
        assert!(!tally(&[]).is_green());
        let text = tally(&[("unit", 3, 1), ("e2e", 4, 0)]).to_string();
        assert_eq!(text.lines().last(), Some("7 passed, 1 failed"));
    }
}
