//! Compiled modules on disk, so that a start does not compile.
//!
//! An entry is machine code, and whoever can write one could run anything. So
//! an entry carries a keyed hash over itself, with a key that this data
//! directory alone has; one that is damaged, was made elsewhere, or for another
//! version of the compiler is not run, and the module is compiled again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::engine::Runtime;
use crate::module::loader::ContentHash;

const MAGIC: &[u8; 16] = b"hookwire cache 1";
const TAG_BYTES: usize = 32;
/// Entries kept, those that were used last.
const MAX_ENTRIES: usize = 64;

/// How a module came to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiled {
    /// Just now, and how long it took.
    Now(Duration),
    /// In an earlier run.
    Before,
}

/// A directory of compiled modules that this process alone writes.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// Opens the cache in `directory`, made with its key where it is missing.
    ///
    /// # Errors
    /// When the directory or the key cannot be made or read.
    pub fn open(directory: &Path) -> io::Result<Arc<Self>> {
        fs::create_dir_all(directory)?;
        keep_private(directory)?;
        let file = directory.join("key");
        let key = match fs::read(&file) {
            Ok(bytes) => bytes.try_into().ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let key = match key {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(io::Error::other)?;
                write_whole(&file, &[&key])?;
                key
            }
        };
        Ok(Arc::new(Self {
            directory: directory.to_owned(),
            key,
        }))
    }

    fn file(&self, engine: &Engine, hash: ContentHash) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(hash.bytes());
        hasher.update(&compatibility(engine));
        let name = hasher.finalize().to_hex();
        self.directory.join(name.as_str()).with_extension("module")
    }

    /// What is noted of a module that has passed the fixtures in it.
    fn passed(&self, engine: &Engine, hash: ContentHash) -> blake3::Hash {
        self.tag(engine, hash, b"its fixtures passed")
    }

    /// The component, if a sound entry of it is there.
    fn find(&self, engine: &Engine, hash: ContentHash) -> Option<Component> {
        let file = self.file(engine, hash);
        let mut bytes = Vec::new();
        File::open(&file).ok()?.read_to_end(&mut bytes).ok()?;
        let Some(code) = self.checked(engine, hash, &bytes) else {
            tracing::warn!(
                file = %file.display(),
                "a compiled module in the cache is damaged or was made elsewhere; it is compiled again",
            );
            drop(fs::remove_file(&file));
            return None;
        };
        #[allow(
            unsafe_code,
            reason = "the bytes are those that this engine wrote: their keyed hash says so"
        )]
        // SAFETY: `deserialize` must be given what `serialize` of a compatible
        // engine returned. The tag was made with the key of this directory over
        // the engine's compatibility hash, the module's hash and these bytes.
        let component = unsafe { Component::deserialize(engine, code) };
        let component = component
            .inspect_err(|error| tracing::warn!(%error, "a compiled module does not load"))
            .ok()?;
        // Entries go by when they were used; one that cannot be marked is found all
        // the same.
        let marked = File::options().append(true).open(&file);
        if let Err(error) = marked.and_then(|file| file.set_modified(SystemTime::now())) {
            tracing::debug!(%error, "a compiled module is used, and cannot be marked so");
        }
        Some(component)
    }

    /// The code in an entry, if the entry is ours, whole, and of this module.
    fn checked<'b>(&self, engine: &Engine, hash: ContentHash, entry: &'b [u8]) -> Option<&'b [u8]> {
        let rest = entry.strip_prefix(MAGIC.as_slice())?;
        let (tag, code) = rest.split_at_checked(TAG_BYTES)?;
        // `blake3::Hash` compares in constant time.
        let tag = blake3::Hash::from_slice(tag).ok()?;
        (tag == self.tag(engine, hash, code)).then_some(code)
    }

    fn tag(&self, engine: &Engine, hash: ContentHash, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(hash.bytes());
        hasher.update(&compatibility(engine));
        hasher.update(code);
        hasher.finalize()
    }

    fn keep(&self, engine: &Engine, hash: ContentHash, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        let tag = self.tag(engine, hash, &code);
        let file = self.file(engine, hash);
        write_whole(&file, &[MAGIC, tag.as_bytes(), &code])?;
        self.forget_oldest(&file)
    }

    /// Forgets what was not used for longest, whatever the clock says of `newest`.
    fn forget_oldest(&self, newest: &Path) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            let is_module = path
                .extension()
                .is_some_and(|extension| extension == "module");
            if is_module && path != newest {
                entries.push((entry.metadata()?.modified()?, path));
            }
        }
        entries.sort();
        let surplus = (entries.len() + 1).saturating_sub(MAX_ENTRIES);
        for (_, path) in entries.into_iter().take(surplus) {
            drop(fs::remove_file(path.with_extension("passed")));
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Runtime {
    /// Whether the cache knows that a component has passed the fixtures in it.
    #[must_use]
    pub fn has_passed(&self, hash: ContentHash) -> bool {
        let Some(cache) = self.cache() else {
            return false;
        };
        let file = cache.file(self.engine(), hash).with_extension("passed");
        let noted = fs::read(file).ok();
        let noted = noted.and_then(|noted| blake3::Hash::from_slice(&noted).ok());
        noted == Some(cache.passed(self.engine(), hash))
    }

    /// Notes in the cache that a component has passed the fixtures in it.
    pub fn note_passed(&self, hash: ContentHash) {
        let Some(cache) = self.cache() else { return };
        let file = cache.file(self.engine(), hash).with_extension("passed");
        let noted = cache.passed(self.engine(), hash);
        if let Err(error) = write_whole(&file, &[noted.as_bytes()]) {
            tracing::warn!(%error, "the cache does not take that a module passed its fixtures");
        }
    }

    /// Finds the component compiled, or compiles it.
    pub(crate) fn compile(
        &self,
        hash: ContentHash,
        bytes: &[u8],
    ) -> wasmtime::Result<(Component, Compiled)> {
        let engine = self.engine();
        let cache = self.cache();
        if let Some(component) = cache.and_then(|cache| cache.find(engine, hash)) {
            return Ok((component, Compiled::Before));
        }
        let began = Instant::now();
        let component = Component::from_binary(engine, bytes)?;
        let took = began.elapsed();
        if let Some(Err(error)) = cache.map(|cache| cache.keep(engine, hash, &component)) {
            tracing::warn!(%error, "a compiled module cannot be kept in the cache");
        }
        Ok((component, Compiled::Now(took)))
    }
}

/// What must be equal for code to run: the compiler's version and settings.
fn compatibility(engine: &Engine) -> [u8; 32] {
    struct Fold(blake3::Hasher);
    impl std::hash::Hasher for Fold {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut fold = Fold(blake3::Hasher::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut fold);
    *fold.0.finalize().as_bytes()
}

/// Writes a file that is there whole or not at all, for this user alone.
fn write_whole(file: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let next = file.with_extension("next");
    drop(fs::remove_file(&next));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&next)?;
    for part in parts {
        written.write_all(part)?;
    }
    written.sync_all()?;
    fs::rename(&next, file)
}

#[cfg(unix)]
fn keep_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn keep_private(_: &Path) -> io::Result<()> {
    Ok(())
}
