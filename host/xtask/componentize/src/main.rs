//! Turns a core module built from the SDK into a component.
//!
//! `hookwire-componentize CORE.wasm COMPONENT.wasm`: reads the interface that
//! the SDK left in a custom section, wraps the module, checks the result, and
//! writes it. A component with the same bytes is left alone, so that builds
//! which embed it see a change only where there is one. Called by `cargo xtask
//! rules`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use wit_component::ComponentEncoder;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [core, component] = arguments.as_slice() else {
        bail!("usage: hookwire-componentize CORE.wasm COMPONENT.wasm");
    };
    let module =
        fs::read(core).with_context(|| format!("cannot read the module {}", core.display()))?;
    let encoded =
        encode(&module).with_context(|| format!("{} does not make a component", core.display()))?;
    write_if_changed(component, &encoded)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)?
        .validate(true)
        .encode()
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Written aside and renamed: a reader sees the old component or the new one.
    let aside = path.with_extension("wasm.new");
    fs::write(&aside, bytes)
        .and_then(|()| fs::rename(&aside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
