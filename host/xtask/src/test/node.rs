//! Node and its packages, for suites that need them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::set_up::is_current;
use hookwire_guest_toolchain::system_packages::{self, Tool};
use hookwire_guest_toolchain::{run, say};

const NODE: Tool = Tool {
    program: "node",
    apt: "nodejs",
    dnf: "nodejs",
    brew: "node",
};

const NPM: Tool = Tool {
    program: "npm",
    apt: "npm",
    dnf: "nodejs-npm",
    brew: "node",
};

/// What npm makes `node_modules` from.
const NPM_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Installs Node and npm.
///
/// # Errors
/// If one is missing and cannot be installed.
pub(super) fn ensure() -> Result<()> {
    system_packages::ensure(&[NODE, NPM])
}

/// Installs the packages of `from`'s lock file into `into`, once for each
/// content of that file; answers where they are.
///
/// # Errors
/// If npm fails.
pub(super) fn ensure_modules(from: &Path, into: &Path) -> Result<PathBuf> {
    let modules = into.join("node_modules");
    let installed = into.join("installed-package-lock.json");
    let lock = from.join("package-lock.json");
    let wanted =
        fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    if is_current(&installed, &wanted) && modules.is_dir() {
        return Ok(modules);
    }
    say("installing the tests' packages for Node");
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    for file in NPM_FILES {
        fs::copy(from.join(file), into.join(file))
            .with_context(|| format!("cannot copy {file} to {}", into.display()))?;
    }
    run(Command::new("npm").current_dir(into).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]))?;
    fs::write(&installed, wanted)
        .with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(modules)
}
