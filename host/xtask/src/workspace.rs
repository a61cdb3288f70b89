//! What cargo says about this checkout.

use std::path::PathBuf;

use anyhow::{Context, Result};

use hookwire_guest_toolchain::{cargo, output};

/// Packages of this prefix are rule modules; the rest is the module's name.
const RULE_PREFIX: &str = "hookwire-rule-";

/// The checkout and where it builds.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
    /// Names of the rule modules, sorted.
    pub(crate) modules: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// If the workspace does not load.
    pub(crate) fn load() -> Result<Self> {
        let json = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let one = |key| {
            json_texts(&json, key)
                .pop()
                .with_context(|| format!("cargo metadata answers no {key}"))
        };
        let mut modules: Vec<String> = json_texts(&json, "name")
            .into_iter()
            .filter_map(|name| name.strip_prefix(RULE_PREFIX).map(str::to_owned))
            .collect();
        modules.sort();
        modules.dedup();
        Ok(Self {
            root: one("workspace_root")?.into(),
            target: one("target_directory")?.into(),
            modules,
        })
    }

    /// Package of a rule module.
    pub(crate) fn module_package(module: &str) -> String {
        format!("{RULE_PREFIX}{module}")
    }

    /// Where components of rule modules are put.
    pub(crate) fn modules_dir(&self) -> PathBuf {
        self.target.join("modules")
    }
}

/// Every text that stands behind `"key":` in cargo's compact JSON. Enough for
/// names and paths, which is all that is asked for here.
pub(crate) fn json_texts(json: &str, key: &str) -> Vec<String> {
    let lead = format!("\"{key}\":\"");
    json.split(lead.as_str())
        .skip(1)
        .map(|rest| {
            let mut text = String::new();
            let mut characters = rest.chars();
            while let Some(character) = characters.next() {
                match character {
                    '"' => break,
                    '\\' => text.extend(characters.next()),
                    other => text.push(other),
                }
            }
            text
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::json_texts;

    #[test]
    fn reads_texts_of_a_key() {
        let json = r#"{"name":"a","x":{"name":"hookwire-rule-b"},"dir":"C:\\t \"q\""}"#;
        assert_eq!(json_texts(json, "name"), ["a", "hookwire-rule-b"]);
        assert_eq!(json_texts(json, "dir"), [r#"C:\t "q""#]);
        assert!(json_texts(json, "root").is_empty());
    }
}
