//! Puts two things into the binary.
//!
//! The stock modules, if `cargo xtask rules` built them: they are looked for in
//! `HOOKWIRE_MODULES_DIR`, else in `modules/` of the target directory. A binary
//! without them still builds, and says so at start.
//!
//! The source of the SDK and of the interfaces, so that `hookwire rule` can
//! build an author's module wherever the binary was installed.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Modules that a configuration may name without a path.
const STOCK: [&str; 1] = ["sqlite"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    stock_modules(&out);
    sdk_source(&out);
}

fn stock_modules(out: &Path) {
    println!("cargo::rerun-if-env-changed=HOOKWIRE_MODULES_DIR");
    let folder = match env::var_os("HOOKWIRE_MODULES_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => target_directory(out).join("modules"),
    };
    let mut entries = String::new();
    for name in STOCK {
        let file = folder.join(format!("{name}.wasm"));
        // A file that is not there yet counts as changed once it appears.
        println!("cargo::rerun-if-changed={}", file.display());
        if file.is_file() {
            writeln!(
                entries,
                "    ({name:?}, include_bytes!({:?})),",
                file.display().to_string()
            )
            .expect("text takes more text");
        }
    }
    let source = format!(
        "/// Name and component of each stock module.\n\
         static STOCK: &[(&str, &[u8])] = &[\n{entries}];\n"
    );
    std::fs::write(out.join("stock_modules.rs"), source).expect("OUT_DIR can be written");
}

/// The SDK's source in this repository, and what an author reads, and where they go below
/// `.hookwire/` of an author's project.
const SDK: [(&str, &str); 7] = [
    ("guest-sdk/Cargo.toml", "sdk/Cargo.toml"),
    ("guest-sdk/README.md", "sdk/README.md"),
    ("guest-sdk/src", "sdk/src"),
    ("guest-sdk/macros/Cargo.toml", "sdk/macros/Cargo.toml"),
    ("guest-sdk/macros/src", "sdk/macros/src"),
    ("wit", "wit"),
    ("host/crates/harness/README.md", "FIXTURES.md"),
];

fn sdk_source(out: &Path) {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let top = host.parent().expect("host/ is in the repository");
    let mut files = Vec::new();
    for (from, to) in SDK {
        let from = top.join(from);
        println!("cargo::rerun-if-changed={}", from.display());
        collect(&from, to, &mut files);
    }
    files.sort();
    let mut entries = String::new();
    let mut hash = Fnv::default();
    for (to, from) in &files {
        hash.add(to.as_bytes());
        hash.add(&std::fs::read(from).expect("the SDK's source can be read"));
        let from = from.display().to_string();
        writeln!(entries, "    ({to:?}, include_str!({from:?})),").expect("text takes more text");
    }
    let source = format!(
        "/// Files of the SDK, by their place below `.hookwire/`.\n\
         static FILES: &[(&str, &str)] = &[\n{entries}];\n\
         /// Changes with any of them.\n\
         const HASH: &str = \"{:016x}\";\n",
        hash.0
    );
    std::fs::write(out.join("sdk_files.rs"), source).expect("OUT_DIR can be written");
}

fn collect(from: &Path, to: &str, files: &mut Vec<(String, PathBuf)>) {
    if from.is_file() {
        files.push((to.to_owned(), from.to_owned()));
        return;
    }
    for entry in std::fs::read_dir(from).expect("the SDK's source can be read") {
        let entry = entry.expect("the SDK's source can be read");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        collect(&entry.path(), &format!("{to}/{name}"), files);
    }
}

/// FNV-1a: it only has to tell one source from another.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain([&0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// `OUT_DIR` is `TARGET/PROFILE/build/PACKAGE-HASH/out`, with the triple before
/// the profile when one is asked for.
fn target_directory(out: &Path) -> PathBuf {
    let profile = out.ancestors().nth(3).unwrap_or(out);
    let parent = profile.parent().unwrap_or(profile);
    let triple = env::var("TARGET").unwrap_or_default();
    if parent
        .file_name()
        .is_some_and(|name| name.to_string_lossy() == triple)
    {
        parent.parent().unwrap_or(parent).to_owned()
    } else {
        parent.to_owned()
    }
}
