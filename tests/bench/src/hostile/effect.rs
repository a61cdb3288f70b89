//! What each attack has to come to: the harm that it did, and the bound that it met.

use std::fmt;

use super::attacker::Seen;
use super::finding::Finding;

/// What a guest does, and what the broker does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Its calls end at their deadline.
    Stopped,
    /// Its calls trap, for a cause that begins so.
    Trapped(&'static str),
    /// Most of what it writes to the log is left out.
    LinesLeftOut,
    /// It keeps as many keys as it may, and is stopped at its deadline.
    KeysBounded,
    /// Most of what it publishes is refused.
    PublishesRefused,
    /// What it answers to calls that were not made is passed over.
    AnswersPassedOver,
    /// It traps on some messages of a batch, and the others go through.
    OthersGoThrough,
    /// It runs, and finds nothing.
    ReachesNothing,
    /// It is not loaded, for a reason that holds this.
    Refused(&'static str),
}

/// What an action of `hostile-guest` asks of the host for one event.
const FLOOD: u64 = 10_000;
/// Publishes that one batch may put down (`host::outbox` of the runtime).
const MAX_PUBLISHES: u64 = 4096;
/// Keys that a module keeps, in bytes, where its block says nothing; and what the
/// broker's memory may grow by meanwhile, guests and all. A guest that were not
/// bounded would take gigabytes within its deadline.
const KEYS_BYTES: u64 = 16 << 20;
const MOST_GROWN_BYTES: u64 = 512 << 20;

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped at its deadline",
            Self::Trapped(_) => "trapped",
            Self::LinesLeftOut => "most lines left out",
            Self::KeysBounded => "its keys bounded, stopped at its deadline",
            Self::PublishesRefused => "most publishes refused",
            Self::AnswersPassedOver => "its answers passed over",
            Self::OthersGoThrough => "trapped, other messages gone through",
            Self::ReachesNothing => "run, and nothing reached",
            Self::Refused(_) => "refused",
        })
    }
}

impl Effect {
    /// Holds it against what was found.
    ///
    /// # Errors
    /// What is missing of the effect.
    pub(super) fn check(self, found: &Finding) -> Result<(), String> {
        match (self, &found.seen) {
            (
                Self::Refused(reason),
                Seen::Loading {
                    refused,
                    loaded,
                    last,
                },
            ) => {
                need(*loaded == 0, || format!("it was loaded {loaded} times"))?;
                need(*refused > 0, || "nobody tried to load it".to_owned())?;
                need(last.contains(reason), || {
                    format!("it was refused for another reason than {reason:?}: {last}")
                })
            }
            (_, Seen::Loading { .. }) => Err("it did not run".to_owned()),
            (_, Seen::Acknowledged { messages, .. }) => {
                need(found.module.calls > 0, || {
                    "the attack did not reach it".to_owned()
                })?;
                self.check_run(found, *messages)
            }
        }
    }

    /// As [`Effect::check`], for a guest that was called.
    fn check_run(self, found: &Finding, acknowledged: u64) -> Result<(), String> {
        match self {
            Self::Stopped => stopped(found),
            Self::Trapped(cause) => trapped(found, cause),
            Self::LinesLeftOut => {
                goes_on(found, acknowledged)?;
                let (written, left_out) = (found.guest_lines, found.guest_lines_left_out);
                need(written > 0, || "it wrote no line".to_owned())?;
                need(left_out > written, || {
                    format!("{written} of its lines were logged, and only {left_out} left out")
                })
            }
            Self::KeysBounded => {
                stopped(found)?;
                let grown = found.grown_bytes;
                need(grown >= KEYS_BYTES / 2, || {
                    format!("the broker's memory grew by {grown} bytes: it kept no keys")
                })?;
                need(grown <= MOST_GROWN_BYTES, || {
                    format!("the broker's memory grew by {grown} bytes")
                })
            }
            Self::PublishesRefused => {
                goes_on(found, acknowledged)?;
                let published = found.own_publishes;
                let most = MAX_PUBLISHES * found.module.calls;
                let asked = FLOOD * found.module.events;
                need(published > 0, || "it published nothing".to_owned())?;
                need(published <= most && published < asked / 2, || {
                    format!("{published} of {asked} publishes were taken, {most} at most may be")
                })
            }
            Self::AnswersPassedOver => {
                unharmed(found, acknowledged)?;
                need(found.answered_unasked, || {
                    "it answered no call that was not made".to_owned()
                })
            }
            Self::OthersGoThrough => {
                trapped(found, UNREACHABLE)?;
                let batch = found.module.max_batch;
                need(batch > 1, || "no batch held more than one event".to_owned())?;
                need(acknowledged > 0, || {
                    "no message of the attacker went through".to_owned()
                })
            }
            Self::ReachesNothing => {
                unharmed(found, acknowledged)?;
                need(found.came_through, || {
                    "it did not come to the end of what it asks".to_owned()
                })
            }
            Self::Refused(_) => Err("it ran, and was to be refused".to_owned()),
        }
    }
}

/// How an instance ends that meets what it must not.
pub(super) const UNREACHABLE: &str = "wasm trap: wasm `unreachable` instruction executed";

fn stopped(found: &Finding) -> Result<(), String> {
    need(found.module.deadline_misses > 0, || {
        "no call met its deadline".to_owned()
    })?;
    has_cause(found, "was stopped: its deadline passed")
}

fn trapped(found: &Finding, cause: &str) -> Result<(), String> {
    let by_deadline = found.module.deadline_misses;
    need(found.module.traps > by_deadline, || {
        "no call trapped".to_owned()
    })?;
    has_cause(found, &format!("trapped: {cause}"))
}

fn has_cause(found: &Finding, expected: &str) -> Result<(), String> {
    let mut causes = found.causes.iter();
    need(causes.any(|cause| cause.starts_with(expected)), || {
        let causes = found.causes.join("; ");
        format!("the log does not say that it {expected}; it says: {causes}")
    })
}

/// Its calls come to their end, unless its deadline comes before: a flood takes long.
fn goes_on(found: &Finding, acknowledged: u64) -> Result<(), String> {
    let trapped = found
        .module
        .traps
        .saturating_sub(found.module.deadline_misses);
    need(trapped == 0, || format!("{trapped} calls trapped"))?;
    need(acknowledged > 0, || {
        "no message of the attacker was acknowledged".to_owned()
    })
}

/// Its calls come to their end, and the attacker's messages are acknowledged.
fn unharmed(found: &Finding, acknowledged: u64) -> Result<(), String> {
    let lost = found.module.traps;
    need(lost == 0, || format!("{lost} calls were lost"))?;
    need(acknowledged > 0, || {
        "no message of the attacker was acknowledged".to_owned()
    })
}

fn need(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::finding::ModuleFigures;

    /// An attack that came to its end, unharmed.
    fn calm() -> Finding {
        Finding {
            seen: Seen::Acknowledged {
                messages: 30,
                connections: 1,
            },
            module: ModuleFigures {
                calls: 10,
                events: 30,
                max_batch: 8,
                ..ModuleFigures::default()
            },
            causes: Vec::new(),
            guest_lines: 0,
            guest_lines_left_out: 0,
            answered_unasked: false,
            came_through: false,
            own_publishes: 0,
            grown_bytes: 1 << 20,
        }
    }

    fn lost(traps: u64, deadline_misses: u64, cause: &str) -> Finding {
        let mut found = calm();
        found.module.traps = traps;
        found.module.deadline_misses = deadline_misses;
        found.causes.push(cause.to_owned());
        found
    }

    fn with(mut found: Finding, plant: impl FnOnce(&mut Finding)) -> Finding {
        plant(&mut found);
        found
    }

    fn loading(refused: u64, loaded: u64, last: &str) -> Finding {
        with(calm(), |found| {
            found.seen = Seen::Loading {
                refused,
                loaded,
                last: last.to_owned(),
            };
        })
    }

    fn unacknowledged(found: &mut Finding) {
        found.seen = Seen::Acknowledged {
            messages: 0,
            connections: 9,
        };
    }

    const STOPPED: &str = "was stopped: its deadline passed";
    const TRAPPED: &str = "trapped: out of memory: it needs 1 byte more";
    const OUT_OF_MEMORY: Effect = Effect::Trapped("out of memory");

    /// Holds an effect against a finding; `missing` is part of what is said of it.
    #[track_caller]
    fn check(effect: Effect, found: &Finding, missing: Option<&str>) {
        match (effect.check(found), missing) {
            (Ok(()), None) => {}
            (Err(said), Some(missing)) => assert!(said.contains(missing), "{effect}: {said}"),
            (result, _) => panic!("{effect}: {result:?}, expected {missing:?}"),
        }
    }

    #[test]
    fn a_guest_that_was_never_called_had_no_effect() {
        let idle = with(calm(), |found| found.module = ModuleFigures::default());
        for effect in [
            Effect::Stopped,
            OUT_OF_MEMORY,
            Effect::LinesLeftOut,
            Effect::KeysBounded,
            Effect::PublishesRefused,
            Effect::AnswersPassedOver,
            Effect::OthersGoThrough,
            Effect::ReachesNothing,
        ] {
            check(effect, &idle, Some("the attack did not reach it"));
        }
    }

    #[test]
    fn a_guest_that_does_no_harm_had_no_effect() {
        for (effect, missing) in [
            (Effect::Stopped, "no call met its deadline"),
            (OUT_OF_MEMORY, "no call trapped"),
            (Effect::LinesLeftOut, "it wrote no line"),
            (Effect::KeysBounded, "no call met its deadline"),
            (Effect::PublishesRefused, "it published nothing"),
            (
                Effect::AnswersPassedOver,
                "it answered no call that was not made",
            ),
            (Effect::OthersGoThrough, "no call trapped"),
            (Effect::ReachesNothing, "it did not come to the end"),
            (Effect::Refused("wrongly"), "it ran, and was to be refused"),
        ] {
            check(effect, &calm(), Some(missing));
        }
    }

    #[test]
    fn one_that_is_stopped_meets_its_deadline() {
        check(Effect::Stopped, &lost(3, 3, STOPPED), None);
        let otherwise = Some("the log does not say that it was stopped");
        check(Effect::Stopped, &lost(3, 3, TRAPPED), otherwise);
    }

    #[test]
    fn one_that_traps_traps_for_its_cause() {
        check(OUT_OF_MEMORY, &lost(3, 0, TRAPPED), None);
        let stopped = lost(3, 3, STOPPED);
        check(OUT_OF_MEMORY, &stopped, Some("no call trapped"));
        let other = lost(3, 0, "trapped: wasm trap: call stack exhausted");
        check(OUT_OF_MEMORY, &other, Some("call stack exhausted"));
    }

    #[test]
    fn one_that_floods_the_log_has_most_lines_left_out() {
        let flood = with(calm(), |found| {
            (found.guest_lines, found.guest_lines_left_out) = (100, 9_900);
        });
        check(Effect::LinesLeftOut, &flood, None);
        let unbounded = with(flood.clone(), |found| found.guest_lines_left_out = 99);
        check(Effect::LinesLeftOut, &unbounded, Some("only 99 left out"));
        let refused = with(flood, unacknowledged);
        check(Effect::LinesLeftOut, &refused, Some("was acknowledged"));
    }

    #[test]
    fn one_that_floods_its_keys_grows_to_its_bound() {
        let flood = with(lost(3, 3, STOPPED), |found| found.grown_bytes = 20 << 20);
        check(Effect::KeysBounded, &flood, None);
        let none = with(flood.clone(), |found| found.grown_bytes = 1 << 20);
        check(Effect::KeysBounded, &none, Some("it kept no keys"));
        let unbounded = with(flood, |found| found.grown_bytes = 1 << 30);
        check(Effect::KeysBounded, &unbounded, Some("memory grew by"));
    }

    #[test]
    fn one_that_floods_the_broker_has_most_publishes_refused() {
        let flood = with(calm(), |found| found.own_publishes = 40_960);
        check(Effect::PublishesRefused, &flood, None);
        let unbounded = with(flood.clone(), |found| found.own_publishes = 300_000);
        check(
            Effect::PublishesRefused,
            &unbounded,
            Some("40960 at most may be"),
        );
        let lost = with(flood, |found| found.module.traps = 1);
        check(Effect::PublishesRefused, &lost, Some("1 calls trapped"));
    }

    #[test]
    fn one_that_traps_mid_batch_leaves_others_alone() {
        let trapped = lost(3, 0, &format!("trapped: {UNREACHABLE}"));
        check(Effect::OthersGoThrough, &trapped, None);
        let single = with(trapped.clone(), |found| found.module.max_batch = 1);
        check(
            Effect::OthersGoThrough,
            &single,
            Some("more than one event"),
        );
        let all_lost = with(trapped, unacknowledged);
        check(
            Effect::OthersGoThrough,
            &all_lost,
            Some("no message of the attacker went through"),
        );
    }

    #[test]
    fn what_runs_on_does_so_and_says_so() {
        let unasked = with(calm(), |found| found.answered_unasked = true);
        check(Effect::AnswersPassedOver, &unasked, None);
        let nothing = with(calm(), |found| found.came_through = true);
        check(Effect::ReachesNothing, &nothing, None);
        let found_something = with(nothing, |found| found.module.traps = 2);
        let lost = Some("2 calls were lost");
        check(Effect::ReachesNothing, &found_something, lost);
    }

    #[test]
    fn one_that_is_refused_is_refused_each_time_for_its_reason() {
        let effect = Effect::Refused("no answer within");
        check(effect, &loading(40, 0, "no answer within 2s"), None);
        let once = loading(40, 1, "no answer within 2s");
        check(effect, &once, Some("it was loaded 1 times"));
        check(effect, &loading(0, 0, ""), Some("nobody tried to load it"));
        let other = loading(40, 0, "no such file");
        check(effect, &other, Some("for another reason"));
        check(Effect::Stopped, &once, Some("it did not run"));
    }
}
