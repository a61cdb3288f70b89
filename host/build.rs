//! Puts the stock modules into the binary, if `cargo xtask rules` built them.
//!
//! They are looked for in `HOOKWIRE_MODULES_DIR`, else in `modules/` of the
//! target directory. A binary without them still builds, and says so at start.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Modules that a configuration may name without a path.
const STOCK: [&str; 1] = ["sqlite"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-env-changed=HOOKWIRE_MODULES_DIR");
    let folder = match env::var_os("HOOKWIRE_MODULES_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => target_directory(&out).join("modules"),
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
