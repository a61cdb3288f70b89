//! `cargo xtask coverage [PACKAGE]`: how much of a package its own tests run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::rules;
use crate::workspace::{Workspace, json_texts};
use hookwire_guest_toolchain::system_packages::{Tool, ensure};
use hookwire_guest_toolchain::{cargo, find_program, output, run, say};

/// The package that is looked at where none is named.
const DEFAULT: &str = "hookwire-rules";

/// The verb.
///
/// # Errors
/// If there is no such package, its tests fail, or the tools are not to be had.
pub(crate) fn coverage(arguments: &[String]) -> Result<ExitCode> {
    let package = match arguments {
        [] => DEFAULT,
        [package] => package.as_str(),
        _ => bail!("`cargo xtask coverage` takes a package, or nothing"),
    };
    let workspace = Workspace::load()?;
    let tools = Tools::find()?;
    rules::build(&workspace, None)?;
    let folder = workspace.target.join("coverage");
    // What an earlier run left would be counted.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let wrapper = write_wrapper(&folder)?;
    let test = || {
        let mut test = cargo();
        test.current_dir(&workspace.root)
            .env("RUSTC_WORKSPACE_WRAPPER", &wrapper)
            .env("LLVM_PROFILE_FILE", folder.join("%p-%m.profraw"))
            .args(["test", "--package", package, "--lib", "--tests"]);
        test
    };
    run(&mut test())?;
    let built = output(test().args(["--no-run", "--message-format", "json"]))?;
    let programs = json_texts(&built, "executable");
    let sources = sources_of(&workspace, package)?;
    let profile = folder.join("all.profdata");
    let mut merge = Command::new(&tools.profdata);
    merge.args(["merge", "-sparse", "-o"]).arg(&profile);
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "profraw")
        {
            merge.arg(path);
        }
    }
    run(&mut merge)?;
    let mut report = Command::new(&tools.cov);
    report
        .args(["report", "--show-branch-summary=false", "--instr-profile"])
        .arg(&profile);
    for (number, program) in programs.iter().enumerate() {
        if number > 0 {
            report.arg("--object");
        }
        report.arg(program);
    }
    report.arg("--sources").arg(sources);
    run(&mut report)?;
    Ok(ExitCode::SUCCESS)
}

/// Programs of the LLVM that the compiler was built with: their files are of
/// one version.
struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Tools {
    fn find() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = output(Command::new(&rustc).arg("-vV"))?;
        let field = |name: &str| {
            let mut lines = version.lines();
            let found = lines.find_map(|line| line.strip_prefix(name));
            found.map(|value| value.trim().to_owned())
        };
        let llvm = field("LLVM version:").context("rustc names no LLVM version")?;
        let host = field("host:").context("rustc names no host")?;
        let root = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let beside = Path::new(root.trim())
            .join("lib/rustlib")
            .join(host)
            .join("bin");
        if beside.join("llvm-cov").exists() {
            return Ok(Self {
                profdata: beside.join("llvm-profdata"),
                cov: beside.join("llvm-cov"),
            });
        }
        let major = llvm.split('.').next().unwrap_or_default();
        let named = |tool: &str| find_program(&format!("{tool}-{major}"));
        if named("llvm-cov").is_none() {
            say("llvm-tools is no component of this toolchain; looking for LLVM's package");
            // A tool's names live as long as the program.
            let package: &'static str = format!("llvm-{major}").leak();
            let program: &'static str = format!("llvm-cov-{major}").leak();
            ensure(&[Tool {
                program,
                apt: package,
                dnf: "llvm",
                brew: "llvm",
            }])
            .with_context(
                || "no llvm-cov of this compiler's LLVM: run `rustup component add llvm-tools`",
            )?;
        }
        Ok(Self {
            profdata: named("llvm-profdata").context("there is no llvm-profdata")?,
            cov: named("llvm-cov").context("there is no llvm-cov")?,
        })
    }
}

/// A compiler that counts what runs, for the workspace's own packages alone.
fn write_wrapper(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("counting-rustc");
    fs::write(&file, "#!/bin/sh\nexec \"$@\" -C instrument-coverage\n")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(file)
}

fn sources_of(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let id = output(
        cargo()
            .current_dir(&workspace.root)
            .args(["pkgid", "--package", package]),
    )?;
    // path+file:///checkout/host/crates/rules#hookwire-rules@0.1.0
    let path = id
        .trim()
        .strip_prefix("path+file://")
        .and_then(|rest| rest.split('#').next());
    let path = path.with_context(|| format!("{package} is not in this checkout"))?;
    Ok(Path::new(path).join("src"))
}
