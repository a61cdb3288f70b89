//! Which crate may know which: `host/ARCHITECTURE.md`, held against cargo.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// A package of the workspace and the packages of the workspace it may know.
/// Those of tests are not counted.
const FLOORS: &[(&str, &[&str])] = &[
    // Floor 0
    ("hookwire-mqtt", &[]),
    ("hookwire-settings", &[]),
    // Floor 1
    ("hookwire-broker", &["hookwire-mqtt"]),
    // Floor 2: siblings do not know each other, but for the rule runtime.
    ("hookwire-net", &["hookwire-mqtt", "hookwire-broker"]),
    ("hookwire-driver", &[]),
    ("hookwire-driver-sqlite", &["hookwire-driver"]),
    (
        "hookwire-bindings",
        &["hookwire-mqtt", "hookwire-broker", "hookwire-driver"],
    ),
    (
        "hookwire-rules",
        &[
            "hookwire-mqtt",
            "hookwire-settings",
            "hookwire-broker",
            "hookwire-driver",
            "hookwire-bindings",
        ],
    ),
    ("hookwire-admin", &[]),
    (
        "hookwire-harness",
        &[
            "hookwire-mqtt",
            "hookwire-settings",
            "hookwire-broker",
            "hookwire-driver",
            "hookwire-driver-sqlite",
            "hookwire-rules",
        ],
    ),
    // Floor 3: the composition knows all of them, but nothing of guests.
    (
        "hookwire",
        &[
            "hookwire-admin",
            "hookwire-mqtt",
            "hookwire-settings",
            "hookwire-broker",
            "hookwire-net",
            "hookwire-driver",
            "hookwire-driver-sqlite",
            "hookwire-rules",
            "hookwire-harness",
            "hookwire-guest-toolchain",
        ],
    ),
    // Guests: they know `wit/` and nothing of the host.
    ("hookwire-sdk", &["hookwire-sdk-macros"]),
    ("hookwire-sdk-macros", &[]),
    // Beside the house.
    (
        "hookwire-bench",
        &[
            "hookwire-bindings",
            "hookwire-broker",
            "hookwire-driver",
            "hookwire-driver-sqlite",
            "hookwire-mqtt",
            "hookwire-rules",
            "hookwire-settings",
        ],
    ),
    ("hookwire-clients-rumqttc", &[]),
    ("hookwire-componentize", &[]),
    ("hookwire-floors", &[]),
    ("hookwire-fuzz", &["hookwire-mqtt"]),
    ("hookwire-guest-toolchain", &[]),
    ("hookwire-sim", &["hookwire-mqtt", "hookwire-broker"]),
    ("xtask", &["hookwire-guest-toolchain"]),
];

/// Every rule module knows the SDK alone.
const RULE_PREFIX: &str = "hookwire-rule-";
const RULE_KNOWS: &[&str] = &["hookwire-sdk"];

/// Libraries that a package must do without.
const WITHOUT: &[(&str, &[&str])] = &[
    // No async, no I/O.
    (
        "hookwire-mqtt",
        &["tokio", "futures-util", "socket2", "wasmtime", "sqlx"],
    ),
    (
        "hookwire-settings",
        &["tokio", "futures-util", "socket2", "wasmtime", "sqlx"],
    ),
    // Can be stepped by a test: time is a parameter, and it never waits.
    (
        "hookwire-broker",
        &["tokio", "futures-util", "socket2", "wasmtime", "sqlx"],
    ),
    ("hookwire-net", &["wasmtime", "sqlx"]),
    ("hookwire-driver", &["wasmtime", "sqlx"]),
    ("hookwire-driver-sqlite", &["wasmtime"]),
    ("hookwire-bindings", &["sqlx"]),
    ("hookwire-harness", &["wasmtime", "sqlx"]),
    ("hookwire-rules", &["sqlx"]),
    ("hookwire", &["wasmtime", "sqlx"]),
    ("hookwire-sdk", &["tokio", "wasmtime", "sqlx"]),
];

/// The tool that builds everything builds in seconds.
const XTASK_USES: &[&str] = &["anyhow", "hookwire-guest-toolchain"];
const TOOLCHAIN_USES: &[&str] = &["anyhow"];

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo tells of its workspace");
    metadata.packages
}

/// What a package depends on outside of its tests.
fn uses(package: &Package) -> BTreeSet<&str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .collect()
}

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    if name.starts_with(RULE_PREFIX) {
        return Some(RULE_KNOWS);
    }
    FLOORS
        .iter()
        .find(|(package, _)| *package == name)
        .map(|(_, allowed)| *allowed)
}

#[test]
fn each_package_knows_only_floors_below() {
    let packages = packages();
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut problems = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some(allowed) = allowed(name) else {
            problems.push(format!("{name} has no floor: give it a line in this test"));
            continue;
        };
        for used in uses(package).intersection(&members) {
            if !allowed.contains(used) {
                problems.push(format!("{name} must not know {used}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn tests_of_a_package_know_nothing_above_it() {
    let packages = packages();
    for package in &packages {
        for dependency in &package.dependencies {
            let above = allowed(&dependency.name)
                .is_some_and(|knows| knows.contains(&package.name.as_str()));
            assert!(!above, "{} must not know {}", package.name, dependency.name);
        }
    }
}

#[test]
fn packages_do_without_what_is_not_theirs() {
    for package in packages() {
        let used = uses(&package);
        let without = WITHOUT
            .iter()
            .find(|(name, _)| *name == package.name.as_str());
        for library in without.map_or(&[][..], |(_, libraries)| libraries) {
            assert!(
                !used.contains(library),
                "{} must do without {library}",
                package.name
            );
        }
        let light = match package.name.as_str() {
            "xtask" => XTASK_USES,
            "hookwire-guest-toolchain" => TOOLCHAIN_USES,
            _ => continue,
        };
        assert_eq!(used, light.iter().copied().collect(), "xtask stays light");
    }
}

#[test]
fn the_table_names_packages_that_exist() {
    let packages = packages();
    for (name, allowed) in FLOORS {
        for name in allowed.iter().chain([name]) {
            assert!(
                packages
                    .iter()
                    .any(|package| package.name.as_str() == *name),
                "there is no package {name}"
            );
        }
    }
}
