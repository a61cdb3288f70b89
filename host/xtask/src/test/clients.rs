//! What the suite `clients` needs: the client libraries of each language, and
//! the drivers that the tests run them with. All of it is made below the target
//! directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::node;
use crate::run::{Profile, build_package};
use crate::workspace::Workspace;
use hookwire_guest_toolchain::system_packages::{self, Tool};
use hookwire_guest_toolchain::{output, run, say};

const GO: Tool = Tool {
    program: "go",
    apt: "golang",
    dnf: "golang",
    brew: "go",
};

/// The second number of the first Go that reads go.mod as it is written, and
/// says itself what is missing or gets it. Debian 12 has 1.19.
const OLDEST_GO: u32 = 21;

/// Which broker the tests start; the tests read it too.
const BROKER: &str = "CLIENTS_BROKER";

/// Whether the suite is to be checked with Mosquitto, so that no broker of ours
/// is needed.
pub(super) fn is_on_mosquitto() -> bool {
    std::env::var_os(BROKER).is_some_and(|broker| broker == "mosquitto")
}

/// Variables that tell the tests where the drivers are.
///
/// # Errors
/// If a language or a library cannot be installed, or a driver does not build.
pub(super) fn ensure_drivers(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    node::ensure()?;
    system_packages::ensure(&[GO])?;
    let drivers = workspace.root.join("tests/clients/drivers");
    let made = workspace.target.join("clients");
    Ok(vec![
        (
            "CLIENTS_NODE_MODULES",
            node::ensure_modules(&drivers.join("mqttjs"), &made.join("mqttjs"))?,
        ),
        (
            "CLIENTS_GO_DRIVER",
            build_go(&drivers.join("go"), &made.join("go-driver"))?,
        ),
        (
            "CLIENTS_RUMQTTC_DRIVER",
            build_package(workspace, "hookwire-clients-rumqttc", Profile::Dev)?,
        ),
    ])
}

fn build_go(from: &Path, program: &Path) -> Result<PathBuf> {
    let version = output(Command::new("go").args(["env", "GOVERSION"]))?;
    if minor_version(&version).is_none_or(|minor| minor < OLDEST_GO) {
        bail!(
            "{} is too old for the clients in Go: install Go 1.{OLDEST_GO} or newer",
            version.trim()
        );
    }
    say("building the tests' driver in Go");
    run(Command::new("go")
        .current_dir(from)
        .args(["build", "-buildvcs=false", "-o"])
        .arg(program)
        .arg("."))?;
    Ok(program.to_owned())
}

/// The `26` of `go1.26.8`.
fn minor_version(version: &str) -> Option<u32> {
    let numbers = version.trim().strip_prefix("go1.")?;
    let minor = numbers.split(|c: char| !c.is_ascii_digit()).next()?;
    minor.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor_version;

    #[test]
    fn reads_the_version_of_go() {
        let check = |text, expected| assert_eq!(minor_version(text), expected, "{text}");
        check("go1.26.8\n", Some(26));
        check("go1.19", Some(19));
        check("go1.25rc1", Some(25));
        check("devel +a1b2c3", None);
    }
}
