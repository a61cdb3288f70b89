//! The Wasm rule runtime: engine, loader, lanes, dispatch.
