//! What became of one attack: from what the attacker saw, what the broker logged,
//! and what it held.

use std::fmt;

use super::attacker::Seen;

/// What became of one attack.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) seen: Seen,
    pub(super) module: ModuleFigures,
    /// Why its instances were lost, each reason once.
    pub(super) causes: Vec<String>,
    /// Lines that the guest wrote to the log, and those that were left out.
    pub(super) guest_lines: u64,
    pub(super) guest_lines_left_out: u64,
    /// Whether it answered calls that were not made.
    pub(super) answered_unasked: bool,
    /// Whether the one that asks WASI wrote, which it does at its end.
    pub(super) came_through: bool,
    /// Messages that it had the broker publish, those dropped later among them.
    pub(super) own_publishes: u64,
    /// What the broker's memory grew by, in bytes.
    pub(super) grown_bytes: u64,
}

/// What the broker counted of the guest's module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ModuleFigures {
    pub(super) calls: u64,
    pub(super) events: u64,
    pub(super) traps: u64,
    pub(super) deadline_misses: u64,
    pub(super) max_batch: u64,
}

impl Finding {
    /// Reads the log of a broker that was stopped.
    pub(super) fn of(seen: Seen, log: &str, grown_bytes: u64) -> Self {
        let said = || log.lines().filter(|line| line.contains(MODULE));
        let module = said().rfind(|line| line.contains(" handle_calls="));
        let counted = |name: &str| {
            let name = format!("name=\"{name}\" count=");
            let line = log.lines().rfind(|line| line.contains(&name));
            line.map_or(0, |line| figure(line, "count"))
        };
        let left_out = said().filter(|line| line.contains("log lines were left out"));
        Self {
            module: module.map_or_else(ModuleFigures::default, ModuleFigures::of),
            causes: causes(said()),
            guest_lines: said().filter(|line| line.contains(GUEST_LINE)).count() as u64,
            guest_lines_left_out: left_out.map(|line| figure(line, "lines")).sum(),
            answered_unasked: said().any(|line| line.contains("the module answered call ")),
            came_through: said().any(|line| line.contains("it reaches nothing")),
            own_publishes: counted("own_publishes") + counted("own_publishes_dropped"),
            grown_bytes,
            seen,
        }
    }
}

impl ModuleFigures {
    fn of(line: &str) -> Self {
        Self {
            calls: figure(line, "handle_calls"),
            events: figure(line, "handled_events"),
            traps: figure(line, "traps"),
            deadline_misses: figure(line, "deadline_misses"),
            max_batch: figure(line, "max_batch"),
        }
    }
}

/// How lines about the guest name its module.
const MODULE: &str = "module=\"hostile\"";
/// A part of what `flood_log` writes that nothing else has.
const GUEST_LINE: &str = "xxxxxxxxxxxxxxxx";

/// The figure that a line gives under this name, or 0.
fn figure(line: &str, name: &str) -> u64 {
    let of = line.split_once(&format!(" {name}="));
    let digits = of.and_then(|(_, rest)| rest.split(|other: char| !other.is_ascii_digit()).next());
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

fn causes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut causes: Vec<String> = lines
        .filter_map(|line| {
            let (_, rest) = line.split_once("the module ")?;
            let cause = rest.split(" module=").next()?;
            // Other lines tell of the same.
            let is_end = cause.starts_with("trapped: ")
                || cause.starts_with("was stopped: ")
                || cause.starts_with("does not start: ");
            is_end.then(|| cause.to_owned())
        })
        .collect();
    causes.sort_unstable();
    causes.dedup();
    causes
}

/// In one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.seen {
            Seen::Loading {
                refused,
                loaded,
                last,
            } => {
                if *loaded > 0 {
                    write!(f, "loaded {loaded} times, ")?;
                }
                let said = last.lines().last().unwrap_or_default();
                let said = said.split("module \"hostile\"").last().unwrap_or(said);
                write!(
                    f,
                    "refused {refused} times: {}",
                    said.trim_start_matches([':', ' '])
                )
            }
            Seen::Acknowledged {
                messages,
                connections,
            } => {
                let ModuleFigures {
                    calls,
                    traps,
                    deadline_misses,
                    ..
                } = self.module;
                write!(
                    f,
                    "{calls} calls, {traps} lost, {deadline_misses} by the deadline; {messages} \
                     acknowledged in {connections} connections"
                )?;
                if !self.causes.is_empty() {
                    write!(f, ": {}", self.causes.join("; "))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-01-01T00:00:00.000000Z  INFO hookwire_rules::host::log: line 0 xxxxxxxxxxxxxxxxxxxx module=\"hostile\"
2026-01-01T00:00:00.000000Z  WARN hookwire_rules::host::log: log lines were left out module=\"hostile\" lines=9900
2026-01-01T00:00:00.000000Z  INFO hookwire_rules::host::log: line 1 xxxxxxxxxxxxxxxxxxxx module=\"hostile\"
2026-01-01T00:00:00.000000Z  WARN hookwire_rules::host::log: log lines were left out module=\"hostile\" lines=100
2026-01-01T00:00:00.000000Z ERROR hookwire_rules::lane::runner: the module was stopped: its deadline passed module=\"hostile\" generation=1
2026-01-01T00:00:00.000000Z ERROR hookwire_rules::lane::runner: the module was stopped: its deadline passed module=\"hostile\" generation=1
2026-01-01T00:00:00.000000Z ERROR hookwire_rules::lane::runner: the module trapped: out of memory module=\"hostile\" generation=1
2026-01-01T00:00:00.000000Z ERROR hookwire_rules::lane::runner: the module trapped: another's module=\"noop\" generation=1
2026-01-01T00:00:00.000000Z  WARN hookwire_rules::lane::runner: the module takes its worker's time: it is called on threads of its own module=\"hostile\" generation=1
2026-01-01T00:00:00.000000Z  INFO hookwire::report: counted name=\"own_publishes\" count=12
2026-01-01T00:00:00.000000Z  INFO hookwire::report: counted name=\"own_publishes_dropped\" count=3
2026-01-01T00:00:00.000000Z  INFO hookwire::report: module module=\"hostile\" handle_calls=7 handled_events=9 traps=3 deadline_misses=2 max_batch=4
2026-01-01T00:00:00.000000Z  INFO hookwire::report: module module=\"noop\" handle_calls=70 handled_events=90 traps=30 deadline_misses=20 max_batch=40
";

    fn seen() -> Seen {
        Seen::Acknowledged {
            messages: 5,
            connections: 2,
        }
    }

    #[test]
    fn the_log_tells_of_the_guest_alone() {
        let finding = Finding::of(seen(), LOG, 17);
        let expected = ModuleFigures {
            calls: 7,
            events: 9,
            traps: 3,
            deadline_misses: 2,
            max_batch: 4,
        };
        assert_eq!(finding.module, expected);
        assert_eq!(
            finding.causes,
            ["trapped: out of memory", "was stopped: its deadline passed"]
        );
        let lines = (finding.guest_lines, finding.guest_lines_left_out);
        assert_eq!(lines, (2, 10_000));
        assert_eq!((finding.own_publishes, finding.grown_bytes), (15, 17));
        assert!(!finding.answered_unasked && !finding.came_through);
        assert_eq!(
            finding.to_string(),
            "7 calls, 3 lost, 2 by the deadline; 5 acknowledged in 2 connections: trapped: out of \
             memory; was stopped: its deadline passed"
        );
    }

    #[test]
    fn a_log_without_the_guest_tells_nothing() {
        let finding = Finding::of(seen(), "listening on 127.0.0.1:1883\n", 0);
        assert_eq!(finding.module, ModuleFigures::default());
        assert!(finding.causes.is_empty());
        assert_eq!((finding.guest_lines, finding.own_publishes), (0, 0));
    }

    #[test]
    fn a_refusal_is_told_without_the_modules_name() {
        let seen = Seen::Loading {
            refused: 3,
            loaded: 0,
            last: "hookwire: not loaded\nlater.hcl:1: module \"hostile\" does not describe itself"
                .to_owned(),
        };
        let told = Finding::of(seen, "", 0).to_string();
        assert_eq!(told, "refused 3 times: does not describe itself");
    }
}
