//! Guests that do their host harm: one test each says what happens to the guest,
//! and that clients of another module go on meanwhile and afterwards.
//!
//! | guest | what happens |
//! |---|---|
//! | computes without end | stopped at its deadline |
//! | fills its memory without end | stopped at its deadline |
//! | takes memory without end | trap: out of memory |
//! | grows a table | trap: too many elements |
//! | recurses without end | trap: stack exhausted |
//! | floods the log, or its standard output | goes on, most lines are left out |
//! | floods its keys | stopped at its deadline, keys are bounded |
//! | floods the broker | goes on, most publishes are refused |
//! | answers a giant list, text, payload | trap: too much data |
//! | answers calls that were not made | they are passed over |
//! | traps in the middle of a batch | the event that does it fails, alone |
//! | waits for ever in a host call | stopped at its deadline |
//! | imports WASI | runs, reaches nothing |
//! | uses what it was not granted | `denied`, each time |
//!
//! Those that are refused before they run are in [`crate::refused`].

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hookwire_broker::{Hooks, Verdict};
use hookwire_rules::LoadedModule;

use crate::blocks::{MODULE, component, modules, problems_with, rule, rule_of, runtime, settings};
use crate::message_log::logged;
use crate::rig::{Rig, with_modules};
use crate::written_guest;

pub(crate) const MEMORY: usize = 64 << 20;

/// The modules of all tests, and `h`, which is this component.
pub(crate) fn with_hostile(bytes: &[u8]) -> HashMap<String, LoadedModule> {
    let mut all = modules().clone();
    let loaded = runtime().load("h", bytes, MEMORY);
    all.insert("h".to_owned(), loaded.expect("the guest loads"));
    all
}

/// Module `m` for others, module `h` with the action that does harm.
pub(crate) fn blocks(action: &str) -> String {
    let hostile = "module \"h\" {\n  grants = [\"key-value\", \"broker.publish\"]\n  lanes = 1\n  \
                   deadline = \"20s\"\n  max_key_value_bytes = 1048576\n}\n";
    let rules = [
        rule_of("h", "harm", "message.publish", action, "topic = \"attack\""),
        rule("noop", "message.publish", "noop", "topic = \"other/#\""),
    ];
    format!("{MODULE}{hostile}{}", rules.concat())
}

/// Blocks for a written guest, which imports nothing that is granted.
pub(crate) fn plain_blocks() -> String {
    blocks("act").replace("  grants = [\"key-value\", \"broker.publish\"]\n", "")
}

/// What one attack came to.
struct Attack {
    verdict: Verdict,
    /// Messages of other clients that were decided before it.
    others: usize,
    took: Duration,
    log: String,
}

impl Attack {
    #[track_caller]
    fn failed_with(&self, code: &str) {
        match &self.verdict {
            Verdict::Failed {
                refusal, retryable, ..
            } => {
                let expected = format!("rule harm: it failed ({code})");
                assert_eq!((&*refusal.text, *retryable), (&*expected, false));
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn was_stopped(&self) {
        self.failed_with("host:deadline");
        assert!(self.took >= Duration::from_millis(400), "{:?}", self.took);
        assert!(self.took < Duration::from_secs(15), "{:?}", self.took);
        assert!(self.others > 0, "others went on");
    }

    #[track_caller]
    fn trapped(&self, cause: &str) {
        self.failed_with("host:trap");
        let line = format!("the module trapped: {cause}");
        assert!(self.log.contains(&line), "{}", self.log);
    }
}

fn attack(bytes: &[u8], blocks: &str) -> Attack {
    attack_and(bytes, blocks, |_| {})
}

/// Publishes to the guest, and to the module beside it until that is decided.
fn attack_and(bytes: &[u8], blocks: &str, see: impl FnOnce(&mut Rig)) -> Attack {
    let modules = with_hostile(bytes);
    let mut outcome = None;
    let log = logged(|| {
        with_modules(&modules, blocks, async |mut rig: Rig| {
            // Every lane has its instance.
            rig.verdict("other", "other/1", "").await;
            let started = Instant::now();
            let attack = rig.publish("attacker", "attack", "boom");
            let mut others = 0;
            while !rig.decided_so_far().contains(&attack) {
                let other = rig.publish("other", "other/1", "");
                rig.wait_for("others go on", |rig| {
                    let decided = rig.decided_so_far();
                    decided.contains(&other) || decided.contains(&attack)
                })
                .await;
                others += 1;
            }
            let took = started.elapsed();
            let verdicts = rig.verdicts().await;
            assert!(verdicts[1..].iter().all(|other| *other == Verdict::Proceed));
            let after = rig.verdict("other", "other/1", "").await;
            assert_eq!(after, Verdict::Proceed, "others go on afterwards");
            see(&mut rig);
            outcome = Some((verdicts.into_iter().next(), others, took));
        });
    });
    let (verdict, others, took) = outcome.expect("the test ran");
    Attack {
        verdict: verdict.expect("the attack has a verdict"),
        others,
        took,
        log,
    }
}

fn compiled(action: &str) -> Attack {
    attack(&component("hostile"), &blocks(action))
}

/// As [`blocks`], for a guest that is to be stopped.
fn impatient(blocks: &str) -> String {
    blocks.replace("20s", "400ms")
}

fn stopped(action: &str) {
    attack(&component("hostile"), &impatient(&blocks(action))).was_stopped();
}

#[test]
fn one_that_computes_without_end_is_stopped() {
    stopped("spin");
}

#[test]
fn one_that_fills_its_memory_without_end_is_stopped() {
    stopped("fill");
}

#[test]
fn one_that_takes_its_workers_time_is_called_on_another_thread() {
    let modules = with_hostile(&component("hostile"));
    let mut blocks = impatient(&blocks("fill"));
    blocks += &rule_of("h", "good", "message.publish", "beyond", "topic = \"good\"");
    let log = logged(|| {
        with_modules(&modules, &blocks, async |mut rig: Rig| {
            let verdict = rig.verdict("attacker", "attack", "").await;
            assert!(matches!(verdict, Verdict::Failed { .. }));
            // From now on its calls hold nobody up, however long they take.
            let attack = rig.publish("attacker", "attack", "");
            let mut longest = Duration::ZERO;
            while !rig.decided_so_far().contains(&attack) {
                let began = Instant::now();
                tokio::task::yield_now().await;
                longest = longest.max(began.elapsed());
            }
            rig.verdicts().await;
            // What a fill takes, and more: the machine may be busy.
            assert!(longest < Duration::from_millis(300), "{longest:?}");
            // It does its work there, and comes back when it behaves.
            for number in 0..1_200 {
                let verdict = rig.verdict(&number.to_string(), "good", "").await;
                assert_eq!(verdict, Verdict::Proceed);
            }
        });
    });
    let away = "it is called on threads of its own";
    assert!(log.contains(away), "{log}");
    let back = "the module behaves, and is called by its workers again";
    assert!(log.contains(back), "{log}");
}

#[test]
fn one_that_takes_memory_without_end_traps() {
    compiled("grow").trapped("out of memory: it needs ");
}

#[test]
fn one_that_grows_a_table_traps() {
    let grow = "(drop (table.grow $table (ref.null func) (i32.const 1000000)))";
    attack(&written_guest::acting("", grow), &plain_blocks())
        .trapped("a table of 1000001 elements, and 100000 are allowed");
}

#[test]
fn one_that_recurses_without_end_traps() {
    let again = "(global.set $free (i32.const 0)) (local.get 0) (local.get 1) (local.get 2)
        (local.get 3) call $handle drop";
    attack(&written_guest::acting("", again), &plain_blocks())
        .trapped("wasm trap: call stack exhausted");
    // A compiler's stack for what has an address lies in the memory, at its
    // beginning, and is used up first.
    compiled("recurse").trapped("wasm trap: out of bounds memory access");
}

#[test]
fn one_that_floods_the_log_writes_a_bounded_part_of_it() {
    let attack = compiled("flood_log");
    let lines = attack.log.matches("x".repeat(1_000).as_str()).count() / 4;
    assert!(lines > 0, "some lines are there");
    assert!(lines < 2_000, "{lines} lines");
}

#[test]
fn one_that_floods_its_keys_has_a_bounded_number_and_is_stopped() {
    let blocks = impatient(&blocks("flood_keys"));
    attack(&component("hostile"), &blocks).was_stopped();
    assert_eq!(kept_keys("h"), KEYS_IN_1_MIB);
}

/// Keys of `flood_keys`, a value of 64 KiB each, that a MiB has room for.
const KEYS_IN_1_MIB: usize = 15;

fn kept_keys(module: &str) -> usize {
    let kept = |key: &usize| runtime().kept(module, &format!("key-{key}")).is_some();
    (0..10_000).filter(kept).count()
}

#[test]
fn what_a_module_may_keep_changes_when_its_plan_is_gone_over_to() {
    let loaded = runtime().load("k", &component("hostile"), MEMORY);
    let mut modules = modules().clone();
    modules.insert("k".to_owned(), loaded.expect("the guest loads"));
    let large = impatient(&blocks("flood_keys")).replace("\"h\"", "\"k\"");
    let small = large.replace("1048576", "131072");
    let flood = |blocks: &str, meanwhile: &dyn Fn()| {
        with_modules(&modules, blocks, async |mut rig: Rig| {
            meanwhile();
            let verdict = rig.verdict("attacker", "attack", "").await;
            assert!(matches!(verdict, Verdict::Failed { .. }));
        });
        kept_keys("k")
    };
    // What is bound and goes no further, or is only checked, changes nothing.
    let bind = || assert_eq!(problems_with(&settings(&large), &modules), [""; 0]);
    assert_eq!(flood(&small, &bind), 1);
    assert_eq!(flood(&large, &|| {}), KEYS_IN_1_MIB);
}

#[test]
fn one_that_floods_the_broker_is_refused_most_of_it() {
    let mut calls = Vec::new();
    let attack = attack_and(&component("hostile"), &blocks("flood_publish"), |rig| {
        rig.rules.take_calls(&mut calls);
    });
    assert_eq!(attack.verdict, Verdict::Proceed);
    assert_eq!(calls.len(), 4096);
}

#[test]
fn one_that_answers_too_much_traps() {
    for action in ["giant_list", "giant_text", "giant_payload"] {
        compiled(action).trapped("it hands over more in one go than a quarter of its memory");
    }
}

#[test]
fn one_that_answers_calls_that_were_not_made_is_passed_over() {
    let attack = compiled("beyond");
    assert_eq!(attack.verdict, Verdict::Proceed);
    let line = "the module answered call 9999 of a batch of 1";
    assert!(attack.log.contains(line), "{}", attack.log);
}

#[test]
fn one_that_traps_in_the_middle_of_a_batch_fails_for_that_event_alone() {
    let modules = with_hostile(&component("hostile"));
    with_modules(&modules, &blocks("trap_on_boom"), async |mut rig: Rig| {
        for payload in ["a", "b", "boom", "c", "d"] {
            rig.publish("attacker", "attack", payload);
        }
        let verdicts = rig.verdicts().await;
        assert!(matches!(verdicts[2], Verdict::Failed { .. }));
        let passed = verdicts.iter().filter(|one| **one == Verdict::Proceed);
        assert_eq!(passed.count(), 4);
        let after = rig.verdict("other", "other/1", "").await;
        assert_eq!(after, Verdict::Proceed);
    });
}

#[test]
fn one_that_waits_for_ever_is_stopped() {
    let imports = r#"
        (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
            (func $after (param i64) (result i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
    let wait = "(call $block (call $after (i64.const 3600000000000)))";
    let guest = written_guest::acting(imports, wait);
    attack(&guest, &impatient(&plain_blocks())).was_stopped();
}

#[test]
fn one_that_imports_wasi_runs_and_reaches_nothing() {
    let attack = attack(&written_guest::asking_wasi(), &plain_blocks());
    assert_eq!(attack.verdict, Verdict::Proceed, "{}", attack.log);
    let line = "it reaches nothing module=\"h\"";
    assert!(attack.log.contains(line), "{}", attack.log);
}

#[test]
fn one_that_floods_its_standard_output_goes_on() {
    let imports = r#"
        (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))"#;
    let flood = "(i32.store (i32.const 1464) (call $stdout))
        (local.set $number (i32.const 2000))
        (loop $more
            (call $write (i32.load (i32.const 1464)) (i32.const 3000) (i32.const 19)
                (i32.const 1456))
            (local.set $number (i32.sub (local.get $number) (i32.const 1)))
            (br_if $more (local.get $number)))";
    let attack = attack(&written_guest::acting(imports, flood), &plain_blocks());
    assert_eq!(attack.verdict, Verdict::Proceed, "{}", attack.log);
    let lines = attack.log.matches("it reaches nothing").count();
    let seconds = usize::try_from(attack.took.as_secs()).unwrap();
    assert!((1..=100 * (seconds + 2)).contains(&lines), "{lines}");
}

#[test]
fn one_that_asks_for_what_it_was_not_granted_is_denied_it() {
    let one_of_six = blocks("flood_publish").replace("broker.publish", "broker.lookup");
    let mut calls = Vec::new();
    let attack = attack_and(&component("hostile"), &one_of_six, |rig| {
        rig.rules.take_calls(&mut calls);
    });
    assert_eq!(attack.verdict, Verdict::Proceed);
    assert_eq!(calls.len(), 0, "each was denied");
}
