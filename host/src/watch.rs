//! Watches the files of modules: one that has changed is loaded.
//!
//! Files are looked at, not listened to: that works on every file system. One
//! that was changed is loaded when it has stayed the same from one look to the
//! next, so that a file that is being written is not taken half.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::control::Control;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What tells whether a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            inode: metadata.ino(),
        })
    }
}

/// The files of modules as they were before they were read last: one that
/// changes while it is read, or before anybody watches it, differs from that.
/// By the names of modules.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    read: Mutex<HashMap<String, (PathBuf, Option<Stamp>)>>,
}

impl Stamps {
    /// The file is going to be read.
    pub(crate) fn note(&self, module: &str, path: &Path) {
        let stamp = (path.to_owned(), Stamp::of(path));
        self.lock().insert(module.to_owned(), stamp);
    }

    /// As it was when it was read for this module, if it was.
    fn of(&self, module: &str, path: &Path) -> Option<Option<Stamp>> {
        let read = self.lock();
        let (_, stamp) = read.get(module).filter(|(read, _)| read == path)?;
        Some(*stamp)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (PathBuf, Option<Stamp>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads modules whose files change, for as long as it is polled.
pub(crate) async fn watch(control: Arc<Control>) {
    // At the last look. Two modules may be one file, and each of them is loaded.
    let mut seen: HashMap<(String, PathBuf), Option<Stamp>> = HashMap::new();
    loop {
        let files = control.watched_files();
        seen.retain(|file, _| files.contains(file));
        for file in files {
            let (module, path) = &file;
            let stamp = Stamp::of(path);
            let is_stable = seen.get(&file) == Some(&stamp);
            let has_changed = control.stamps.of(module, path) != Some(stamp);
            if stamp.is_some() && has_changed && is_stable {
                // Also where it is not read, it is told of once.
                control.stamps.note(module, path);
                control.reload_file(module).await;
            }
            seen.insert(file, stamp);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
