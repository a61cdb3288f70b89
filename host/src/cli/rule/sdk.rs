//! The SDK's source, which this binary carries: written into a project's
//! `.hookwire/`, and kept at the binary's version.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

const FOLDER: &str = ".hookwire";
/// Tells which source lies there: version, then hash.
const STAMP: &str = "version";

/// Writes the SDK below a project unless this very one is there.
///
/// # Errors
/// If it cannot be written, or that of a newer binary is there.
pub(crate) fn refresh(project: &Path) -> Result<()> {
    let folder = project.join(FOLDER);
    let version = env!("CARGO_PKG_VERSION");
    let stamp = format!("{version} {HASH}\n");
    let found = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    if found == stamp {
        return Ok(());
    }
    let found = found.split_whitespace().next().unwrap_or_default();
    if numbers(found) > numbers(version) {
        bail!(
            "{} has the SDK of hookwire {found}, and this is hookwire {version}: use that one, \
             or remove {} to build with this",
            folder.display(),
            folder.display()
        );
    }
    let replaced = write_all(&folder).and_then(|()| fs::write(folder.join(STAMP), stamp));
    replaced.with_context(|| format!("cannot write the SDK into {}", folder.display()))
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    for old in ["sdk", "wit"] {
        let old = folder.join(old);
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    for (place, text) in FILES {
        let path = folder.join(place);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+']);
    parts.map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_gets_the_sdk_of_this_binary() {
        let project = tempfile::tempdir().unwrap();
        let file = project.path().join(".hookwire/sdk/src/lib.rs");
        refresh(project.path()).unwrap();
        assert!(file.is_file());
        let package = project.path().join(".hookwire/wit/rule/rule.wit");
        assert!(package.is_file());
        assert!(project.path().join(".hookwire/FIXTURES.md").is_file());

        fs::write(&file, "changed").unwrap();
        refresh(project.path()).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "changed",
            "it is left alone"
        );

        let stamp = project.path().join(".hookwire/version");
        fs::write(&stamp, "0.0.1 0\n").unwrap();
        refresh(project.path()).unwrap();
        assert_ne!(
            fs::read_to_string(&file).unwrap(),
            "changed",
            "an old one is replaced"
        );

        fs::write(&stamp, "99.0.0 0\n").unwrap();
        let error = refresh(project.path()).unwrap_err().to_string();
        assert!(error.contains("99.0.0"), "{error}");
    }
}
