//! Every target over its corpus, and over a bounded number of seeded changes
//! of it.
//!
//! `HOOKWIRE_FUZZ_RUNS` says how many changes a target is put through (20,000),
//! `HOOKWIRE_FUZZ_SEED` with which seed they begin (0). A failure names the seed
//! of its input; `HOOKWIRE_FUZZ_SEED=SEED HOOKWIRE_FUZZ_RUNS=1` makes it again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use hookwire_fuzz::{TARGETS, Target, corpus, mutate};

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect(name),
        Err(_) => default,
    }
}

/// Runs a target, and names its input if it fails.
fn run(target: Target, bytes: &[u8], input: &str) {
    let run = AssertUnwindSafe(|| (target.run)(bytes));
    if let Err(panic) = catch_unwind(run) {
        eprintln!("{}: {input}: {}", target.name, bytes.escape_ascii());
        resume_unwind(panic);
    }
}

#[test]
fn every_corpus_file_holds() {
    for target in TARGETS {
        for entry in corpus::read(target.name).expect("the corpus can be read") {
            run(target, &entry.bytes, &entry.name);
        }
    }
}

#[test]
fn changes_of_the_corpus_hold() {
    let runs = number("HOOKWIRE_FUZZ_RUNS", 20_000);
    let first = number("HOOKWIRE_FUZZ_SEED", 0);
    for target in TARGETS {
        let corpus = corpus::read(target.name).expect("the corpus can be read");
        for seed in (first..).take(usize::try_from(runs).expect("a number of runs")) {
            run(
                target,
                &mutate::input(&corpus, seed),
                &format!("seed {seed}"),
            );
        }
    }
}

#[test]
fn the_corpus_is_what_is_made_and_what_was_found() {
    let mut bytes = 0;
    for target in TARGETS {
        let made = corpus::made(target.name);
        let there = corpus::read(target.name).expect("the corpus can be read");
        for entry in &made {
            assert!(
                there.contains(entry),
                "{}/{} is not as made: cargo run -p hookwire-fuzz --bin make-corpus",
                target.name,
                entry.name
            );
        }
        for entry in &there {
            let known = made.iter().any(|made| made.name == entry.name);
            assert!(known || entry.name.starts_with("found-"), "{}", entry.name);
            bytes += entry.bytes.len();
        }
    }
    assert!(
        bytes < 200_000,
        "{bytes} bytes: the repository holds a small one"
    );
}

#[test]
fn each_target_stands_before_the_fuzzer() {
    let front_end = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(front_end.join("Cargo.toml")).expect("a Cargo.toml");
    for target in TARGETS {
        let path = format!("fuzz_targets/{}.rs", target.name);
        let source = std::fs::read_to_string(front_end.join(&path)).expect("a fuzz target");
        assert!(
            source.contains(&format!("hookwire_fuzz::{}(data)", target.name)),
            "{path}"
        );
        assert!(manifest.contains(&format!("path = \"{path}\"")), "{path}");
    }
}
