//! The data directory: held by one broker at a time, and the place of the mark
//! that keeps message ids from going back over a restart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hookwire_net::wall_ms;

/// A data directory that this process holds until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Locked for as long as it is open, also when the process is killed.
    _lock: File,
}

/// How far ahead of the clock the mark is set, and how often it is moved.
const MARK_AHEAD: Duration = Duration::from_secs(30);
pub(crate) const MARK_EVERY: Duration = Duration::from_secs(15);

/// Creates a data directory if there is none.
pub(crate) fn create(path: &Path) -> Result<()> {
    let mut directory = std::fs::DirBuilder::new();
    // Messages lie in it: it is for its owner.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
    directory
        .recursive(true)
        .create(path)
        .with_context(|| format!("cannot create the data directory {}", path.display()))
}

impl DataDir {
    /// Creates the directory if there is none, and takes it for this process.
    pub(crate) fn hold(path: &Path) -> Result<Self> {
        create(path)?;
        let file = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .with_context(|| format!("cannot open {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder).unwrap_or_default();
                bail!(
                    "the data directory {} is held by the broker with process id {}; stop it, or \
                     give this one another with --data DIR",
                    path.display(),
                    holder.trim(),
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", file.display()));
            }
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// A file of this directory, or the path itself if it is absolute.
    pub(crate) fn file(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }

    /// The time, in milliseconds since the epoch, that no new message id may lie
    /// before; moves the mark of this run ahead of it.
    pub(crate) fn take_id_mark(&self) -> Result<u64> {
        let file = self.mark_file();
        let mark = match std::fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().with_context(|| {
                format!(
                    "{} does not hold a number of milliseconds; remove it if no message stored \
                     here has an id from the future",
                    file.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let mark = wall_ms().max(mark);
        self.set_id_mark(mark)?;
        Ok(mark)
    }

    /// Moves the mark ahead of the clock, durably.
    pub(crate) fn move_id_mark(&self, not_before_ms: u64) -> Result<()> {
        self.set_id_mark(wall_ms().max(not_before_ms))
    }

    fn set_id_mark(&self, from_ms: u64) -> Result<()> {
        let ahead = u64::try_from(MARK_AHEAD.as_millis()).unwrap_or_default();
        let file = self.mark_file();
        let next = file.with_extension("next");
        let mut written = File::create(&next)?;
        writeln!(written, "{}", from_ms.saturating_add(ahead))?;
        written.sync_all()?;
        std::fs::rename(&next, &file)?;
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }

    fn mark_file(&self) -> PathBuf {
        self.path.join("id-mark")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_first_ones_process_id() {
        let directory = tempfile::tempdir().unwrap();
        let held = DataDir::hold(directory.path()).unwrap();
        let refused = DataDir::hold(directory.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process id {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        DataDir::hold(directory.path()).unwrap();
    }

    #[test]
    fn the_mark_of_a_run_is_above_all_ids_of_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let held = DataDir::hold(directory.path()).unwrap();
        let first = held.take_id_mark().unwrap();
        held.move_id_mark(first).unwrap();
        let last_possible = wall_ms();
        let second = held.take_id_mark().unwrap();
        assert!(
            second > last_possible,
            "{second} is not above {last_possible}"
        );
    }

    #[test]
    fn a_mark_that_is_no_number_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let held = DataDir::hold(directory.path()).unwrap();
        std::fs::write(directory.path().join("id-mark"), "soon").unwrap();
        let refused = held.take_id_mark().unwrap_err().to_string();
        assert!(
            refused.contains("id-mark does not hold a number"),
            "{refused}"
        );
    }
}
