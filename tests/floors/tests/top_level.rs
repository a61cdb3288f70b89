//! What may stand at the top of the repository, and that each folder there
//! tells its reader what it is.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: &[&str] = &[
    "host",
    "guest-sdk",
    "rules",
    "wit",
    "etc",
    "tests",
    "examples",
];
const FILES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "clippy.toml",
    "rustfmt.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Entries that git would take, by the lines of `.gitignore` that name them.
fn entries() -> Vec<String> {
    let ignored = fs::read_to_string(top().join(".gitignore")).expect("there is a .gitignore");
    let entries = fs::read_dir(top()).expect("the top folder can be read");
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter(|name| ignored.lines().all(|line| line != format!("/{name}")))
        .collect()
}

#[test]
fn nothing_else_stands_at_the_top() {
    for name in entries() {
        let allowed = if top().join(&name).is_dir() {
            FOLDERS
        } else {
            FILES
        };
        assert!(
            allowed.contains(&name.as_str()),
            "{name} does not belong at the top"
        );
    }
}

#[test]
fn each_folder_has_a_readme() {
    for folder in FOLDERS {
        let readme = top().join(folder).join("README.md");
        let text = fs::read_to_string(&readme).unwrap_or_default();
        assert!(
            text.lines().count() > 3,
            "{} says nothing",
            readme.display()
        );
    }
}

#[test]
fn license_and_changelog_are_there() {
    for file in FILES {
        assert!(top().join(file).is_file(), "{file} is missing");
    }
}
