//! The package stands alone: a copy of its folder, beside a copy of `wit/`, is
//! all that a module elsewhere needs.

use std::fs;
use std::path::Path;

const MANIFESTS: &[&str] = &["Cargo.toml", "macros/Cargo.toml"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between the quotes after `key`, each time.
fn quoted<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    text.split(key)
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1))
        .collect()
}

#[test]
fn nothing_is_inherited_from_a_workspace() {
    for manifest in MANIFESTS {
        let text = read(manifest);
        for inherited in ["workspace = true", ".workspace"] {
            assert!(!text.contains(inherited), "{manifest} has {inherited}");
        }
        assert!(text.contains("edition = \"2024\""), "{manifest}");
    }
}

#[test]
fn paths_stay_within_the_folder() {
    let paths: Vec<String> = MANIFESTS
        .iter()
        .flat_map(|manifest| {
            quoted(&read(manifest), "path = ")
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(paths, ["macros"]);
    let bindings = read("src/bindings.rs");
    let wit: Vec<&str> = bindings
        .split('"')
        .filter(|part| part.starts_with("../"))
        .collect();
    assert_eq!(wit.len(), 5, "{wit:?}");
    assert!(
        wit.iter().all(|path| path.starts_with("../wit/")),
        "{wit:?}"
    );
}
