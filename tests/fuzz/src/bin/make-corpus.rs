//! Writes the made part of the corpus into the repository. Files that are not
//! made stay as they are.

use std::fs;

use hookwire_fuzz::{TARGETS, corpus};

fn main() -> std::io::Result<()> {
    for target in TARGETS {
        let folder = corpus::folder(target.name);
        fs::create_dir_all(&folder)?;
        let made = corpus::made(target.name);
        for old in corpus::read(target.name)? {
            let gone = !made.iter().any(|entry| entry.name == old.name);
            if gone && !old.name.starts_with("found-") {
                fs::remove_file(folder.join(&old.name))?;
            }
        }
        for entry in &made {
            fs::write(folder.join(&entry.name), &entry.bytes)?;
        }
        eprintln!("{}: {} files", folder.display(), made.len());
    }
    Ok(())
}
