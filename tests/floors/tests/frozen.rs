//! Packages of the interfaces that are frozen stay as they were, to the letter.

use std::path::{Path, PathBuf};

/// Frozen packages, by folder below `wit/`.
const FROZEN: &[&str] = &["types", "rule", "host", "broker", "sql"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn frozen_interfaces_stay_as_they_were() {
    for package in FROZEN {
        let file = format!("{package}.wit");
        let now = workspace().join("wit").join(package).join(&file);
        let then = workspace().join("tests/corpus/0.1/wit").join(&file);
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        assert!(
            read(&now) == read(&then),
            "wit/{package}/{file} is not what it was when 0.1 was frozen: modules that were \
             compiled against it would no longer load. Put what is new into a version of its own, \
             or into a text or `extras`, which may grow"
        );
    }
}
