//! Guests that do harm before they run, and are refused.
//!
//! | guest | what happens |
//! |---|---|
//! | traps, or never ends, in describe | refused |
//! | traps in configure | refused |
//! | forges its manifest | refused |
//! | imports what it was not granted | refused |

use crate::blocks::{component, problems_with, runtime, settings};
use crate::hostile::{MEMORY, blocks, plain_blocks, with_hostile};
use crate::written_guest;

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = runtime().load("h", bytes, MEMORY).err();
    let error = error.expect("it is refused").to_string();
    assert!(error.contains(expected), "{error}");
    assert!(error.len() < 4_000, "it is told in {} bytes", error.len());
}

#[test]
fn one_that_traps_or_never_ends_in_describe_is_refused() {
    refused(
        &written_guest::describing("", "unreachable"),
        "module \"h\" does not describe itself: wasm trap: wasm `unreachable`",
    );
    refused(
        &written_guest::describing("", "(loop $spin (br $spin)) unreachable"),
        "module \"h\" does not describe itself: no answer within 2s",
    );
}

#[test]
fn one_that_traps_in_configure_is_refused() {
    let modules = with_hostile(&written_guest::configuring("unreachable"));
    let problems = problems_with(&settings(&plain_blocks()), &modules);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let expected = "module \"h\": it does not come up with its rules: wasm trap: ";
    assert!(problems[0].contains(expected), "{problems:?}");
}

#[test]
fn one_that_forges_its_manifest_is_refused() {
    refused(
        &written_guest::claiming(2_000),
        "module \"h\" describes itself wrongly: it has 2000 actions, and 1024 are allowed",
    );
    refused(
        &written_guest::claiming(2),
        "module \"h\" describes itself wrongly: action \"act\" is there twice",
    );
    refused(
        &written_guest::claiming(1_000_000),
        "module \"h\" does not describe itself: it hands over more in one go than",
    );
}

#[test]
fn one_that_imports_what_it_was_not_granted_is_refused() {
    let modules = with_hostile(&component("hostile"));
    let ungranted = blocks("spin").replace("\"key-value\", ", "");
    let problems = problems_with(&settings(&ungranted), &modules);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("key-value"), "{problems:?}");
}
