//! The corpus: a folder of files for each target, each file one input.
//!
//! Most files are [`made`]; those named `found-...` are inputs that once broke a
//! promise, and stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{hostile, samples};

/// One input and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of its file.
    pub name: String,
    /// What the target takes.
    pub bytes: Vec<u8>,
}

/// Where the files of `target` stand in the repository.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target)
}

/// The files of `target`, by name.
///
/// # Errors
/// If they cannot be read.
pub fn read(target: &str) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(folder(target))? {
        let file = file?;
        entries.push(Entry {
            name: file.file_name().to_string_lossy().into_owned(),
            bytes: fs::read(file.path())?,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The inputs of `target` that are made: packets by the codec's own encoder,
/// and hostile ones by hand.
#[must_use]
pub fn made(target: &str) -> Vec<Entry> {
    let entry = |prefix: &str, (name, bytes): (&str, Vec<u8>)| Entry {
        name: format!("{prefix}-{name}"),
        bytes,
    };
    let packets = samples::of(target);
    let hostile = hostile::of(target);
    let packets = packets.into_iter().map(|packet| entry("packet", packet));
    let hostile = hostile.into_iter().map(|bytes| entry("hostile", bytes));
    packets.chain(hostile).collect()
}
