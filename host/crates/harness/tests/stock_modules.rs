//! The fixtures of the stock modules and of the examples, run against the
//! components that `cargo xtask rules` built.

use std::path::{Path, PathBuf};

use hookwire_harness::{Harness, run};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// A component that `cargo xtask rules` built.
fn component(name: &str) -> PathBuf {
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR")
        .map_or_else(|| workspace().join("target/modules"), PathBuf::from);
    let path = folder.join(name).with_extension("wasm");
    assert!(
        path.is_file(),
        "no component at {}; run: cargo xtask rules",
        path.display()
    );
    path
}

/// The files in a folder that end in `.hcl`, by name.
fn fixtures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut fixtures: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "hcl"))
        .collect();
    fixtures.sort();
    fixtures
}

/// Runs the fixtures of every rule module in a folder, and answers how many
/// modules there are.
fn pass_their_fixtures(folder: &str) -> usize {
    let modules = std::fs::read_dir(workspace().join(folder)).expect("the folder is there");
    let mut passed = 0;
    for module in modules.filter_map(|entry| Some(entry.ok()?.path())) {
        if !module.join("Cargo.toml").is_file() {
            continue;
        }
        let name = module.file_name().expect("it has a name").to_string_lossy();
        let fixtures = fixtures(&module.join("tests"));
        assert!(!fixtures.is_empty(), "{folder}/{name}/tests has no fixture");
        let harness = Harness::open(&component(&name)).expect("the harness starts");
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
    passed
}

#[test]
fn each_stock_module_passes_its_fixtures() {
    assert!(pass_their_fixtures("rules") > 0);
}

#[test]
fn each_example_passes_its_fixtures() {
    assert!(pass_their_fixtures("examples") > 0);
}
