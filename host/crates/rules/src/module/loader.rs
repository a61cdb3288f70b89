//! From the bytes of a file to a module that can be bound: checked, compiled,
//! described.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::module::cache::Compiled;

use crate::lane::priority::{StepBack, step_back};
use crate::module::engine::Runtime;
use crate::module::grant::Imports;
use crate::module::instance::GuestError;
use crate::module::manifest::Manifest;
use crate::module::template::{Code, DescribeError, LinkError, START_DEADLINE, Template};

/// A module that is not taken, and why.
#[derive(Debug, thiserror::Error)]
#[error("module {module:?} {failure}")]
pub struct LoadError {
    /// Name of the module block.
    pub module: String,
    /// What is wrong with the component.
    #[source]
    pub failure: LoadFailure,
}

/// What can be wrong with a component.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// Some other file.
    #[error("is not WebAssembly: it has to be the component that `hookwire rule build` makes")]
    NotWebAssembly,
    /// Compiled, and not made into a component.
    #[error(
        "is a core WebAssembly module, not a component: `hookwire rule build` makes one of a crate"
    )]
    CoreModule,
    /// Damaged, or of a version or feature that the engine does not know.
    #[error("does not compile: {0}")]
    Compile(String),
    /// It needs what no host call gives.
    #[error("imports what the host does not offer: {}", .0.join("; "))]
    Imports(Vec<String>),
    /// An interface is missing or has other types.
    #[error("{0}")]
    Interface(String),
    /// `describe` ended without an answer.
    #[error("does not describe itself: {0}")]
    Describe(String),
    /// The answer of `describe` makes no sense here.
    #[error("describes itself wrongly: {}", .0.join("; "))]
    Manifest(Vec<String>),
    /// The machine gave no thread to run it on.
    #[error("cannot be run: {0}")]
    NoThread(#[source] std::io::Error),
}

/// The hash of a component's bytes: what a module is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Of a component's bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    /// The first 12 hexadecimal digits, as people compare them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A compiled module and what it says of itself.
#[derive(Clone)]
pub struct LoadedModule {
    pub(crate) name: Arc<str>,
    pub(crate) hash: ContentHash,
    pub(crate) compiled: Compiled,
    pub(crate) code: Code,
    pub(crate) imports: Imports,
    pub(crate) manifest: Arc<Manifest>,
}

impl LoadedModule {
    /// What the module says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The interfaces that it imports, each with the grants of which its block has
    /// to hold one; none: everybody has it.
    pub fn imports(&self) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        let imports = self.imports.iter();
        imports.map(|interface| (interface.name(), interface.grants().collect()))
    }

    /// Hash of the component it was loaded from.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// How long compiling took; none when it was found compiled.
    #[must_use]
    pub fn compile_time(&self) -> Option<Duration> {
        match self.compiled {
            Compiled::Now(took) => Some(took),
            Compiled::Before => None,
        }
    }
}

impl Runtime {
    /// Compiles a component and has it describe itself, with nothing granted
    /// and at most `max_memory_bytes` of memory. `name` is what rules and log
    /// lines call it.
    ///
    /// Blocks while it compiles; callable with or without an async runtime.
    ///
    /// # Errors
    /// When the bytes are no component, or one that does not fit this host.
    pub fn load(
        &self,
        name: &str,
        component: &[u8],
        max_memory_bytes: usize,
    ) -> Result<LoadedModule, LoadError> {
        self.try_load(name, component, max_memory_bytes)
            .map_err(|failure| LoadError {
                module: name.to_owned(),
                failure,
            })
    }

    fn try_load(
        &self,
        name: &str,
        bytes: &[u8],
        max_memory_bytes: usize,
    ) -> Result<LoadedModule, LoadFailure> {
        check_is_component(bytes)?;
        let hash = ContentHash::of(bytes);
        let (component, compiled) = self
            .compile(hash, bytes)
            .map_err(|error| LoadFailure::Compile(format!("{error:#}")))?;
        let imports = Imports::of(&component).map_err(LoadFailure::Imports)?;
        let name: Arc<str> = name.into();
        let code = Code::Component(component);
        let template = Template::new(self, &name, &code, &imports, max_memory_bytes)?;
        let manifest = run_to_end(|| template.describe()).map_err(LoadFailure::NoThread)??;
        let manifest = Manifest::read(manifest).map_err(LoadFailure::Manifest)?;
        Ok(LoadedModule {
            name,
            hash,
            compiled,
            code,
            imports,
            manifest: Arc::new(manifest),
        })
    }
}

impl From<LinkError> for LoadFailure {
    fn from(error: LinkError) -> Self {
        Self::Interface(error.to_string())
    }
}

impl From<DescribeError> for LoadFailure {
    fn from(error: DescribeError) -> Self {
        match error {
            DescribeError::Link(error) => error.into(),
            DescribeError::Guest(GuestError::Deadline) => {
                Self::Describe(format!("no answer within {START_DEADLINE:?}"))
            }
            DescribeError::Guest(trap) => Self::Describe(trap.to_string()),
        }
    }
}

/// The eight bytes that every WebAssembly file begins with: a magic number,
/// the version, and the layer, which is 1 for components.
fn check_is_component(bytes: &[u8]) -> Result<(), LoadFailure> {
    let preamble = bytes
        .strip_prefix(b"\0asm")
        .and_then(|rest| rest.first_chunk::<4>());
    match preamble {
        Some([_, _, 1, 0]) => Ok(()),
        Some([_, _, 0, 0]) => Err(LoadFailure::CoreModule),
        _ => Err(LoadFailure::NotWebAssembly),
    }
}

/// Runs a guest to its end from code that may be anywhere, also inside an
/// async runtime: on a thread and a runtime of its own.
pub(crate) fn run_to_end<T, F>(guest: impl FnOnce() -> F + Send) -> std::io::Result<T>
where
    T: Send,
    F: Future<Output = T>,
{
    let run = || {
        step_back(StepBack::Loading);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        Ok(runtime.block_on(guest()))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("rules-load".to_owned())
            .spawn_scoped(scope, run)?;
        thread
            .join()
            .map_err(|_| std::io::Error::other("the loading thread panicked"))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_first_bytes() {
        let check = |bytes: &[u8], expected: &str| {
            let said = check_is_component(bytes).map_or_else(|e| e.to_string(), |()| String::new());
            assert_eq!(said, expected, "{bytes:?}");
        };
        check(b"\0asm\x0d\0\x01\0", "");
        check(
            b"\0asm\x01\0\0\0",
            "is a core WebAssembly module, not a component: `hookwire rule build` makes one of a \
             crate",
        );
        let other =
            "is not WebAssembly: it has to be the component that `hookwire rule build` makes";
        check(b"\0asm\x0d\0", other);
        check(b"(component)", other);
        check(b"", other);
    }
}
