//! Compiled modules on disk: used when they are ours, and never otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hookwire_rules::{Cache, LoadedModule, Runtime};

use crate::blocks::component;
use crate::message_log::logged;

fn load(directory: &Path) -> LoadedModule {
    let runtime = Runtime::with_cache(Some(Cache::open(directory).unwrap())).unwrap();
    runtime
        .load("m", &component("testguest"), 64 << 20)
        .unwrap()
}

fn entry(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).unwrap();
    let mut modules = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "module")
    });
    let found = modules.next().expect("an entry");
    assert_eq!(modules.next(), None, "one entry");
    found
}

#[test]
fn a_module_is_compiled_once() {
    let directory = tempfile::tempdir().unwrap();
    assert!(load(directory.path()).compile_time().is_some());
    let again = load(directory.path());
    assert_eq!(again.compile_time(), None);
    assert_eq!(again.manifest().name, "testguest");
}

#[test]
fn an_entry_that_is_damaged_or_made_elsewhere_is_compiled_again() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    load(ours.path());
    load(theirs.path());
    let file = entry(ours.path());
    let sound = fs::read(&file).unwrap();
    let flipped = {
        let mut bytes = sound.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let foreign = fs::read(entry(theirs.path())).unwrap();
    for (what, bytes) in [
        ("cut off", sound[..sound.len() / 2].to_vec()),
        ("one bit is another", flipped),
        ("of another broker", foreign),
        ("empty", Vec::new()),
        ("some text", b"hookwire cache 1, or so it says".to_vec()),
    ] {
        fs::write(&file, bytes).unwrap();
        let mut compiled = None;
        let log = logged(|| compiled = load(ours.path()).compile_time());
        assert!(compiled.is_some(), "{what}");
        assert!(
            log.contains("damaged or was made elsewhere"),
            "{what}: {log}"
        );
        assert_eq!(load(ours.path()).compile_time(), None, "{what}: mended");
    }
}

#[test]
fn what_is_used_stays_and_what_was_not_used_for_longest_goes() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path());
    let used = entry(directory.path());
    let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(3_600 * hours);
    let set_time = |file: &Path, at| {
        let file = fs::File::options().append(true).open(file).unwrap();
        file.set_modified(at).unwrap();
    };
    // It is the oldest of as many as are kept, until it is used again.
    set_time(&used, hours_ago(100));
    let others = (1..64).map(|hours| {
        let file = directory.path().join(format!("{hours}.module"));
        fs::write(&file, "").unwrap();
        set_time(&file, hours_ago(hours));
        file
    });
    let others: Vec<PathBuf> = others.collect();
    assert_eq!(load(directory.path()).compile_time(), None);
    let runtime = Runtime::with_cache(Some(Cache::open(directory.path()).unwrap())).unwrap();
    let another = runtime.load("h", &component("hostile"), 64 << 20).unwrap();
    assert!(another.compile_time().is_some());
    assert!(used.exists());
    let is_there: Vec<bool> = others.iter().map(|file| file.exists()).collect();
    assert!(is_there[..62].iter().all(|is_there| *is_there));
    assert!(!is_there[62], "the oldest made way");
}

#[test]
fn a_lost_key_costs_a_compilation() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path());
    fs::write(directory.path().join("key"), "short").unwrap();
    assert!(load(directory.path()).compile_time().is_some());
    assert_eq!(load(directory.path()).compile_time(), None);
}
