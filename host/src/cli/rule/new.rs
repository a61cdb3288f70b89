//! `hookwire rule new`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::sdk;
use super::template::Template;

/// Options of `hookwire rule new`.
#[derive(Debug, clap::Args)]
pub(crate) struct NewOptions {
    /// Name of the module and its crate
    name: String,
    /// What it begins with: filter, enrich, store-to-sql or authenticate
    #[arg(long, value_name = "NAME", default_value = "filter")]
    template: String,
    /// Folder to make; NAME without it
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn new(options: &NewOptions) -> Result<()> {
    let name = checked(&options.name)?;
    let template = Template::by_name(&options.template)?;
    let folder = options.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    refuse_what_is_there(&folder)?;
    for (place, text) in template.files(name) {
        write(&folder.join(place), &text)?;
    }
    sdk::refresh(&folder)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "made {} from the template {}; now:\n  cd {}\n  hookwire rule test",
        folder.display(),
        template.name,
        folder.display()
    )?;
    Ok(())
}

/// A name that cargo, a file and a configuration take alike.
fn checked(name: &str) -> Result<&str> {
    const RULE: &str = "a name is 1 to 64 of the characters a-z, 0-9 and -, begins with a letter \
                        and does not end with -";
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins_well || !name.chars().all(plain) || name.ends_with('-') || name.len() > 64 {
        let plain: String = name
            .to_ascii_lowercase()
            .replace(['_', ' ', '.'], "-")
            .chars()
            .filter(|c| plain(*c))
            .collect();
        let plain = plain
            .trim_matches('-')
            .trim_start_matches(|c: char| c.is_ascii_digit());
        match plain {
            "" => bail!("\"{name}\" is no name for a module: {RULE}"),
            plain => bail!("\"{name}\" is no name for a module: {RULE}; \"{plain}\" would do"),
        }
    }
    // Words of Rust, and crates that every crate knows.
    const TAKEN: &str = "abstract alloc as async await become box break const continue core crate \
        do dyn else enum extern false final fn for gen hookwire-sdk if impl in let \
        loop macro match mod move mut override priv proc-macro pub ref return self \
        static std struct super test trait true try type typeof unsafe unsized use \
        virtual where while yield";
    if TAKEN.split(' ').any(|taken| taken == name) {
        bail!("\"{name}\" is a word that Rust keeps for itself; \"{name}-rule\" would do");
    }
    Ok(name)
}

fn refuse_what_is_there(folder: &Path) -> Result<()> {
    let is_empty = |mut entries: fs::ReadDir| entries.next().is_none();
    let what = match fs::read_dir(folder) {
        Ok(entries) => match is_empty(entries) {
            true => return Ok(()),
            false => "not empty",
        },
        Err(_) if folder.exists() => "no folder",
        Err(_) => return Ok(()),
    };
    bail!(
        "{} is there and {what}; nothing was written: name another folder with --dir",
        folder.display()
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn names_suit_cargo_and_configurations() {
        let check = |name, expected: Option<&str>| match (checked(name), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(text)) => {
                let error = error.to_string();
                assert!(error.contains(text), "{error}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        };
        check("limits", None);
        check("store-2", None);
        check("Store_It", Some("\"store-it\" would do"));
        check("2fast", Some("\"fast\" would do"));
        check("", Some("is no name for a module"));
        check("ends-", Some("\"ends\" would do"));
        check("../up", Some("\"up\" would do"));
        check("match", Some("\"match-rule\" would do"));
    }
}
