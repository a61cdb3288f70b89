//! The author's project: what cargo says of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use hookwire_guest_toolchain::{find_program, output};
use serde_json::Value;

/// A project and where it builds.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Project {
    /// The project in `dir`, or in the nearest folder above.
    ///
    /// # Errors
    /// If there is none, or it is no project of a rule module.
    pub(crate) fn find(dir: &Path) -> Result<Self> {
        let dir = std::path::absolute(dir).context("there is no current folder")?;
        let folder = dir
            .ancestors()
            .find(|above| above.join("Cargo.toml").is_file());
        let Some(folder) = folder else {
            bail!(
                "no Cargo.toml in {} or above: run it in a project that `hookwire rule new NAME` \
                 made, or name one with --dir",
                dir.display()
            );
        };
        Ok(Self {
            folder: folder.to_owned(),
            name: package_name(folder)?,
            target: folder.join("target"),
        })
    }

    /// Asks cargo, which has to find the SDK by then, where it builds.
    ///
    /// # Errors
    /// If cargo does.
    pub(crate) fn ask_cargo(&mut self) -> Result<()> {
        if std::env::var_os("CARGO").is_none() && find_program("cargo").is_none() {
            bail!(
                "there is no cargo, which builds rule modules: install Rust, by rustup \
                 (https://rustup.rs) or with the system's packages, and try again"
            );
        }
        let mut cargo: Command = hookwire_guest_toolchain::cargo();
        cargo
            .current_dir(&self.folder)
            .args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value =
            serde_json::from_str(&output(&mut cargo)?).context("cargo metadata wrote no JSON")?;
        let target = metadata.get("target_directory").and_then(Value::as_str);
        self.target = target.context("cargo names no target directory")?.into();
        Ok(())
    }

    /// Where the component is put.
    pub(crate) fn component(&self) -> PathBuf {
        self.folder
            .join("target")
            .join(format!("{}.wasm", self.name))
    }

    /// The fixtures in `tests/`, by name.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn fixtures(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("tests");
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(shortened(&entry.ok()?.path())));
        let mut fixtures: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "hcl"))
            .collect();
        if fixtures.is_empty() {
            bail!(
                "there is no fixture in {}: write tests/NAME.hcl",
                folder.display()
            );
        }
        fixtures.sort();
        Ok(fixtures)
    }
}

/// A path as seen from the current folder, where it is below it.
pub(crate) fn shortened(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// `name` in the `[package]` of a manifest. Cargo is not asked: it fails while
/// the SDK is not there.
fn package_name(folder: &Path) -> Result<String> {
    let path = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().map(str::trim);
    let package = lines.skip_while(|line| *line != "[package]").skip(1);
    let mut keys = package.take_while(|line| !line.starts_with('['));
    let name = keys.find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "name").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    name.with_context(|| {
        format!(
            "{} has no [package] with a name: it is no project of a rule module",
            path.display()
        )
    })
}
