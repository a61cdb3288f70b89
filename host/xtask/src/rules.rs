//! `cargo xtask rules`: every rule module of the workspace into a component.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use hookwire_guest_toolchain::{GuestCargo, Route, TARGET, cargo, prepare, run, say};

/// The verb.
///
/// # Errors
/// If an argument is unknown, no route to the wasm32 target works, or a module
/// does not build.
pub(crate) fn rules(arguments: &[String]) -> Result<ExitCode> {
    let route = match arguments {
        [] => None,
        [flag, route] if flag == "--route" => Some(Route::parse(route)?),
        _ => bail!("`cargo xtask rules` takes --route rustup, --route debian, or nothing"),
    };
    build(&Workspace::load()?, route)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds all rule modules of the workspace; `route` none takes the first that works.
///
/// # Errors
/// As for the verb.
pub(crate) fn build(workspace: &Workspace, route: Option<Route>) -> Result<()> {
    if workspace.modules.is_empty() {
        bail!("the workspace holds no rule module");
    }
    let guest_cargo = prepare(route, &workspace.target)?;
    say(&format!(
        "building the rule modules: {}",
        workspace.modules.join(", ")
    ));
    let core_dir = build_core_modules(workspace, &guest_cargo)?;
    let componentize = build_componentize(workspace)?;
    for module in &workspace.modules {
        let core = core_dir.join(format!(
            "{}.wasm",
            Workspace::module_package(module).replace('-', "_")
        ));
        let component = workspace.modules_dir().join(format!("{module}.wasm"));
        run(Command::new(&componentize).arg(&core).arg(&component))?;
        let bytes = fs::metadata(&component)
            .with_context(|| format!("no component at {}", component.display()))?
            .len();
        println!(
            "{module:<16} {:>7.1} KB  {}",
            bytes as f64 / 1024.0,
            component.display()
        );
    }
    Ok(())
}

/// Builds the modules' core Wasm and answers the folder it is in.
fn build_core_modules(workspace: &Workspace, guest_cargo: &GuestCargo) -> Result<PathBuf> {
    // A compiler's host artifacts are its own, and so is the profile: the
    // guest build keeps a target directory apart, shared by all modules.
    let target_dir = workspace.target.join(guest_cargo.target_dir_name());
    let mut command = guest_cargo.command();
    command
        .current_dir(&workspace.root)
        .args(["build", "--profile", "guest", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir)
        .args(guest_cargo.extra_arguments());
    for module in &workspace.modules {
        command.args(["-p", &Workspace::module_package(module)]);
    }
    run(&mut command)?;
    Ok(target_dir.join(TARGET).join("guest"))
}

fn build_componentize(workspace: &Workspace) -> Result<PathBuf> {
    run(cargo().current_dir(&workspace.root).args([
        "build",
        "--quiet",
        "-p",
        "hookwire-componentize",
    ]))?;
    let program = Path::new("hookwire-componentize").with_extension(env::consts::EXE_EXTENSION);
    Ok(workspace.target.join("debug").join(program))
}
