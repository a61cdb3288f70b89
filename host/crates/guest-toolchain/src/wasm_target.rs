//! How the wasm32-unknown-unknown target is come by.
//!
//! What decides is what works, not what is installed: a tiny library is
//! compiled and linked for the target. First the toolchain that runs this
//! program, with `rustup target add` if there is a rustup; then Debian's own
//! Rust, which brings the standard library's source and builds it; at last the
//! commands that a person can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, find_program, output, run, say, succeeds};
use crate::system_packages;

/// The target of rule modules.
pub const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// A way to a compiler for the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The toolchain in use has the target, or rustup adds it.
    Rustup,
    /// Debian's rustc builds the standard library from its source package.
    Debian,
}

impl Route {
    /// The route of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "rustup" => Ok(Self::Rustup),
            "debian" => Ok(Self::Debian),
            other => bail!("no route `{other}`: there are rustup and debian"),
        }
    }
}

/// A cargo that builds for the target.
#[derive(Debug)]
pub enum GuestCargo {
    /// The one that runs this program.
    Own,
    /// Another one, whose compiler has the target.
    Other(PathBuf),
    /// Debian's, which builds the standard library too.
    BuildsStd {
        /// Links Wasm: `wasm-ld` or `rust-lld`.
        linker: PathBuf,
    },
}

impl GuestCargo {
    /// A command line that is still to be given its verb.
    pub fn command(&self) -> Command {
        match self {
            Self::Own => cargo(),
            Self::Other(program) => system_cargo(program),
            Self::BuildsStd { linker } => {
                let mut command = system_cargo(Path::new("/usr/bin/cargo"));
                command
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        }
    }

    /// Arguments that its `build` takes beside an author's.
    pub fn extra_arguments(&self) -> &'static [&'static str] {
        match self {
            Self::BuildsStd { .. } => &["-Zbuild-std=std,panic_abort"],
            _ => &[],
        }
    }

    /// Compilers must not share the artifacts they build for the host.
    pub fn target_dir_name(&self) -> &'static str {
        match self {
            Self::Own => "guest",
            Self::Other(_) | Self::BuildsStd { .. } => "guest-system",
        }
    }
}

/// Makes the target available, installing what is missing.
///
/// # Errors
/// If no route works; says what a person can run.
pub fn prepare(route: Option<Route>, scratch: &Path) -> Result<GuestCargo> {
    let mut tried = Vec::new();
    if route != Some(Route::Debian) {
        match by_toolchain(scratch) {
            Ok(guest_cargo) => return Ok(guest_cargo),
            Err(error) => tried.push(format!("{error:#}")),
        }
    }
    if route != Some(Route::Rustup) {
        match by_debian() {
            Ok(guest_cargo) => return Ok(guest_cargo),
            Err(error) => tried.push(format!("{error:#}")),
        }
    }
    bail!(
        "no compiler for {TARGET}: {}\nrun one of these, then try again:\n  \
         rustup target add {TARGET}\n  {}",
        tried.join("; "),
        system_packages::apt_install_line(DEBIAN_PACKAGES)
    )
}

fn by_toolchain(scratch: &Path) -> Result<GuestCargo> {
    let own = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if compiles(Command::new(&own), scratch) {
        return Ok(GuestCargo::Own);
    }
    if find_program("rustup").is_some() {
        say(&format!(
            "installing the wasm32 target: rustup target add {TARGET}"
        ));
        let added = run(Command::new("rustup").args(["target", "add", TARGET]));
        if added.is_ok() && compiles(Command::new(&own), scratch) {
            return Ok(GuestCargo::Own);
        }
    }
    let system = Path::new("/usr/bin/cargo");
    if system.is_file() && compiles(without_rustup(Command::new("/usr/bin/rustc")), scratch) {
        say("the system's Rust has the wasm32 target: building modules with it");
        return Ok(GuestCargo::Other(system.to_owned()));
    }
    bail!("neither the toolchain in use, nor rustup, nor the system's Rust has it")
}

/// Whether `rustc` compiles and links a library for the target.
fn compiles(mut rustc: Command, scratch: &Path) -> bool {
    let folder = scratch.join("wasm-probe");
    let source = folder.join("probe.rs");
    let ready = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&source, "#[unsafe(no_mangle)] pub extern \"C\" fn f() {}\n"));
    ready.is_ok()
        && succeeds(
            rustc
                .args(["--edition", "2024", "--crate-type", "cdylib"])
                .args(["--target", TARGET, "-o"])
                .arg(folder.join("probe.wasm"))
                .arg(&source),
        )
}

fn by_debian() -> Result<GuestCargo> {
    if let Some(linker) = debian_parts() {
        return Ok(GuestCargo::BuildsStd { linker });
    }
    if find_program("apt-get").is_none() {
        bail!("this is no Debian");
    }
    say("installing the wasm32 target: Debian's Rust with the source of its standard library");
    system_packages::apt_install(DEBIAN_PACKAGES)?;
    let linker = debian_parts().context("Debian's Rust packages lack a part that was expected")?;
    Ok(GuestCargo::BuildsStd { linker })
}

/// The linker, when everything that this route needs is there.
fn debian_parts() -> Option<PathBuf> {
    let mut rustc = without_rustup(Command::new("/usr/bin/rustc"));
    let sysroot = output(rustc.args(["--print", "sysroot"])).ok()?;
    let std_source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std");
    if !std_source.is_dir() || !Path::new("/usr/bin/cargo").is_file() {
        return None;
    }
    find_program("wasm-ld").or_else(|| find_program("rust-lld"))
}

/// A cargo of the system, with the system's rustc before any other.
fn system_cargo(program: &Path) -> Command {
    let mut command = without_rustup(Command::new(program));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [PathBuf::from("/usr/bin")]
        .into_iter()
        .chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command
}

/// Takes out what a rustup cargo leaves in the environment of its children.
fn without_rustup(mut command: Command) -> Command {
    for variable in ["RUSTUP_TOOLCHAIN", "RUSTC", "CARGO", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command
}
