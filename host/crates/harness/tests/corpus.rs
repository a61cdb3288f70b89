//! Modules that were compiled against the interfaces when those were frozen go on
//! loading, and pass the fixtures that they had then.

use std::path::{Path, PathBuf};

use hookwire_harness::{Harness, run};

/// What is in a folder, by name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    paths
}

fn ends_in(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|known| known == end)
}

#[test]
fn modules_that_were_compiled_before_pass_their_fixtures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/corpus/0.1");
    let mut passed = 0;
    for module in entries(&folder) {
        let files = entries(&module);
        let Some(component) = files.iter().find(|path| ends_in(path, "wasm")) else {
            continue;
        };
        let fixtures = files.iter().filter(|path| ends_in(path, "hcl"));
        let fixtures: Vec<PathBuf> = fixtures.cloned().collect();
        assert!(!fixtures.is_empty(), "{} has none", module.display());
        let harness = Harness::open(component).expect("it loads");
        let mut told = Vec::new();
        let summary = run(&harness, &fixtures, &mut told).expect("the fixtures run");
        let told = String::from_utf8_lossy(&told);
        assert_eq!(
            (summary.passed, summary.failed),
            (fixtures.len(), 0),
            "{told}"
        );
        passed += 1;
    }
    assert!(passed >= 2, "{} has too few modules", folder.display());
}
