//! Installing what tests and builds need, through the system's package manager.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{find_program, output, run, say};

/// A program, and the package that holds it in each package manager.
#[derive(Debug)]
pub struct Tool {
    /// The program looked for.
    pub program: &'static str,
    /// Package of apt-get.
    pub apt: &'static str,
    /// Package of dnf.
    pub dnf: &'static str,
    /// Package of Homebrew.
    pub brew: &'static str,
}

/// Installs the tools that are missing.
///
/// # Errors
/// If there is no known package manager, or it fails; says what to run.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools
        .iter()
        .filter(|tool| find_program(tool.program).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    say(&format!("installing what is missing: {}", names.join(", ")));
    install(&missing)?;
    if missing.iter().any(|tool| tool.program == "mosquitto") {
        stop_mosquitto_service();
    }
    for tool in missing {
        find_program(tool.program).with_context(|| {
            format!(
                "{} is still missing after its package was installed",
                tool.program
            )
        })?;
    }
    Ok(())
}

/// Debian starts a service with the package: it would hold port 1883.
fn stop_mosquitto_service() {
    if !Path::new("/run/systemd/system").is_dir() {
        return;
    }
    say("stopping the mosquitto service that came with the package: tests start their own");
    let stopped = as_root("systemctl")
        .and_then(|mut systemctl| run(systemctl.args(["disable", "--now", "mosquitto"])));
    if let Err(error) = stopped {
        say(&format!("port 1883 may stay taken: {error:#}"));
    }
}

fn install(missing: &[&Tool]) -> Result<()> {
    let packages = |of: fn(&Tool) -> &'static str| -> Vec<&'static str> {
        missing.iter().map(|tool| of(tool)).collect()
    };
    if find_program("apt-get").is_some() {
        return apt_install(&packages(|tool| tool.apt));
    }
    if find_program("dnf").is_some() {
        return run(as_root("dnf")?
            .args(["install", "-y"])
            .args(packages(|tool| tool.dnf)));
    }
    if find_program("brew").is_some() {
        return run(Command::new("brew")
            .arg("install")
            .args(packages(|tool| tool.brew)));
    }
    bail!(
        "no package manager known here; install them by hand, on Debian: {}",
        apt_install_line(&packages(|tool| tool.apt))
    )
}

/// Installs Debian packages.
///
/// # Errors
/// If apt-get fails or cannot be run as root; says what to run.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let attempt = || -> Result<()> {
        run(as_root("apt-get")?.args(["update", "-qq"]))?;
        run(as_root("apt-get")?
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages))
    };
    attempt().with_context(|| format!("run `{}`", apt_install_line(packages)))
}

/// The command that a person would type.
pub fn apt_install_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// A command as root: itself where we are root, else through sudo.
fn as_root(program: &str) -> Result<Command> {
    let mut command = if output(Command::new("id").arg("-u"))?.trim() == "0" {
        Command::new(program)
    } else if find_program("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        // Named again, as sudo drops variables it does not know.
        sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
        sudo
    } else {
        bail!("{program} needs root, and there is no sudo");
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}
