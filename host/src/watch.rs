//! Watches the files of modules: one that has changed is loaded.
//!
//! Files are looked at, not listened to: that works on every file system. One
//! that was changed is loaded when it has stayed the same from one look to the
//! next, so that a file that is being written is not taken half.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::control::Control;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What tells whether a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// At the last look.
    last: Option<Stamp>,
    /// When it was loaded, or refused.
    taken: Option<Stamp>,
}

/// Loads modules whose files change, for as long as it is polled.
pub(crate) async fn watch(control: Arc<Control>) {
    // Two modules may be one file, and each of them is loaded.
    let mut seen: HashMap<(String, PathBuf), Seen> = HashMap::new();
    loop {
        let files = control.watched_files().await;
        seen.retain(|file, _| files.contains(file));
        for file in files {
            let (module, path) = &file;
            let stamp = Stamp::of(path);
            let module = module.clone();
            let before = seen.entry(file).or_insert(Seen {
                last: stamp,
                taken: stamp,
            });
            let is_stable = before.last == stamp;
            let has_changed = before.taken != stamp;
            before.last = stamp;
            if stamp.is_some() && has_changed && is_stable {
                before.taken = stamp;
                control.reload_file(&module).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
