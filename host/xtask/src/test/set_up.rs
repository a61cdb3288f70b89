//! What the end-to-end suites need: clients nobody here wrote, and pytest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use hookwire_guest_toolchain::system_packages::{self, Tool};
use hookwire_guest_toolchain::{run, say, succeeds};

/// The broker that ours is measured beside.
pub(crate) const MOSQUITTO: Tool = Tool {
    program: "mosquitto",
    apt: "mosquitto",
    dnf: "mosquitto",
    brew: "mosquitto",
};

const MOSQUITTO_CLIENTS: Tool = Tool {
    program: "mosquitto_pub",
    apt: "mosquitto-clients",
    dnf: "mosquitto",
    brew: "mosquitto",
};

const PYTHON: Tool = Tool {
    program: "python3",
    apt: "python3",
    dnf: "python3",
    brew: "python3",
};

/// Debian keeps the maker of virtual environments in a package of its own.
const PYTHON_VENV_PACKAGE: &str = "python3-venv";

/// Installs the programs that the suites call.
///
/// # Errors
/// If one is missing and cannot be installed.
pub(crate) fn ensure_tools() -> Result<()> {
    system_packages::ensure(&[MOSQUITTO, MOSQUITTO_CLIENTS, PYTHON])?;
    if !succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        say("installing what is missing: python3's venv");
        system_packages::apt_install(&[PYTHON_VENV_PACKAGE])?;
    }
    Ok(())
}

/// Makes the virtual environment of `tests/requirements.txt` below the target
/// directory, once for each content of that file; answers its Python.
///
/// # Errors
/// If Python or pip fails.
pub(crate) fn ensure_venv(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.root.join("tests/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let venv = workspace.target.join("venv");
    let python = venv.join("bin/python");
    let installed = venv.join("installed-requirements.txt");
    if is_current(&installed, &wanted) && succeeds(Command::new(&python).arg("--version")) {
        return Ok(python);
    }
    say("installing the tests' Python packages into a virtual environment");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&requirements))?;
    fs::write(&installed, wanted)
        .with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}

/// Whether what was installed was installed for this content.
pub(super) fn is_current(installed: &Path, wanted: &str) -> bool {
    fs::read_to_string(installed).is_ok_and(|text| text == wanted)
}
