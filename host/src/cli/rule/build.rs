//! `hookwire rule build`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hookwire_broker::Hook;
use hookwire_guest_toolchain::{GuestCargo, TARGET, prepare, run, say as note};
use hookwire_harness::{BundledFixture, fixtures_of, with_fixtures};
use hookwire_rules::{LoadedModule, Runtime};
use wit_component::ComponentEncoder;

use super::project::{Project, shortened};
use super::sdk;

/// Ends the name of the function that each module exports.
const HANDLE: &[u8] = b"/actions@0.1.0#handle";
/// Linear memory for a look at what the component holds.
const MEMORY_BYTES: usize = 64 << 20;

/// Options of `hookwire rule build`.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildOptions {
    /// Leave the fixtures in tests/ out of the component: a broker that loads it
    /// runs none
    #[arg(long)]
    no_fixtures: bool,
    /// Folder of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Which fixtures go into the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bundle {
    /// All that are sound; who tests tells what is wrong with the others.
    Sound,
    /// The same, and one that is not sound is an error.
    All,
    None,
}

pub(crate) fn verb(options: &BuildOptions) -> Result<()> {
    let mut project = Project::find(&options.dir)?;
    let bundle = if options.no_fixtures {
        Bundle::None
    } else {
        Bundle::All
    };
    let component = build(&mut project, bundle)?;
    say(&component, &look_into(&project, &component)?)
}

/// Builds the component of a project, and answers where it is.
///
/// # Errors
/// If no toolchain can be had, or the module does not build.
pub(crate) fn build(project: &mut Project, bundle: Bundle) -> Result<PathBuf> {
    sdk::refresh(&project.folder)?;
    project.ask_cargo()?;
    let guest_cargo = prepare(None, &project.target)?;
    let target = target_folder(project, &guest_cargo);
    let mut command = guest_cargo.command();
    command
        .current_dir(&project.folder)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        .args(guest_cargo.extra_arguments());
    run(&mut command)?;
    let file = format!("{}.wasm", project.name.replace('-', "_"));
    let core = target.join(TARGET).join("release").join(file);
    let component = project.component();
    make_component(&core, &component, &bundled(project, bundle)?)?;
    Ok(component)
}

/// Where its compiler builds: compilers must not share what they build for the
/// host.
fn target_folder(project: &Project, guest_cargo: &GuestCargo) -> PathBuf {
    project.target.join(guest_cargo.target_dir_name())
}

/// The fixtures that go into the component.
fn bundled(project: &Project, bundle: Bundle) -> Result<Vec<BundledFixture>> {
    let mut bundled = Vec::new();
    if bundle == Bundle::None {
        return Ok(bundled);
    }
    for path in project.fixtures().unwrap_or_default() {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        match hookwire_harness::bundle(&path, &format!("tests/{file}")) {
            Ok(Some(fixture)) => bundled.push(fixture),
            Ok(None) if bundle == Bundle::All => note(&format!(
                "{} is about other components, too, and is not put into this one",
                path.display()
            )),
            Err(problems) if bundle == Bundle::All => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!(
                    "a fixture that goes into the component is wrong (--no-fixtures leaves all \
                     out):\n  {}",
                    lines.join("\n  ")
                );
            }
            Ok(None) | Err(_) => {}
        }
    }
    Ok(bundled)
}

fn make_component(core: &Path, component: &Path, fixtures: &[BundledFixture]) -> Result<()> {
    let module = fs::read(core).with_context(|| {
        format!(
            "there is no module at {}: a rule module has crate-type = [\"cdylib\", \"rlib\"] in \
             its [lib]",
            core.display()
        )
    })?;
    if !module.windows(HANDLE.len()).any(|bytes| bytes == HANDLE) {
        bail!(
            "the crate exports no actions: name them in src/lib.rs with \
             hookwire_sdk::module! {{ name: \"...\", actions: [...] }}"
        );
    }
    let encoded = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode());
    let encoded =
        encoded.with_context(|| format!("{} does not make a component", core.display()))?;
    let encoded = with_fixtures(encoded, fixtures)
        .context("tests/ does not go into the component (--no-fixtures leaves it out)")?;
    if fs::read(component).is_ok_and(|old| old == encoded) {
        return Ok(());
    }
    // Written aside and renamed: a broker that watches it sees the old or the new.
    let aside = component.with_extension("wasm.new");
    let made = component.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&aside, encoded))
        .and_then(|()| fs::rename(&aside, component))
        .with_context(|| format!("cannot write {}", component.display()))
}

fn look_into(project: &Project, component: &Path) -> Result<LoadedModule> {
    let runtime = Runtime::new().context("cannot start the Wasm runtime")?;
    let bytes = fs::read(component)?;
    Ok(runtime.load(&project.name, &bytes, MEMORY_BYTES)?)
}

fn say(component: &Path, module: &LoadedModule) -> Result<()> {
    let mut out = std::io::stdout();
    let bytes = fs::read(component)?;
    let path = shortened(component);
    let kilobytes = bytes.len() as f64 / 1024.0;
    writeln!(out, "{}  {kilobytes:.1} KB", path.display())?;
    for action in &module.manifest().actions {
        let hooks: Vec<&str> = action.hooks.iter().map(|hook| Hook::name(*hook)).collect();
        let options: Vec<&str> = action.options.iter().map(|option| &*option.name).collect();
        write!(out, "  action {}  for {}", action.name, hooks.join(", "))?;
        if let Some(pool) = action.pool {
            write!(out, "; a pool of the kind {}", pool.name())?;
        }
        if !options.is_empty() {
            write!(out, "; options {}", options.join(", "))?;
        }
        writeln!(out)?;
    }
    for (interface, grants) in module.imports() {
        let what = match grants.as_slice() {
            [] => "nothing to grant".to_owned(),
            [only] => format!("needs grants = [\"{only}\"]"),
            several => format!("needs one of the grants {}", several.join(", ")),
        };
        writeln!(out, "  imports {interface}: {what}")?;
    }
    for fixture in fixtures_of(&bytes)? {
        writeln!(out, "  fixture {}: run wherever it is loaded", fixture.name)?;
    }
    Ok(())
}
