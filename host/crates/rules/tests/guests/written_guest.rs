//! Components written by hand, for what a compiler would not produce.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A component whose core module has these imports and this body of
/// `describe`; its other exports trap.
pub(crate) fn describing(imports: &str, describe: &str) -> Vec<u8> {
    let core = format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (data (i32.const 16) "from describe")
            (func (export "hookwire:rule/actions@0.1.0#describe") (result i32)
                {describe})
            (func (export "hookwire:rule/actions@0.1.0#configure")
                (param i32 i32 i32 i32 i32 i32) (result i32)
                unreachable)
            (func (export "hookwire:rule/actions@0.1.0#handle")
                (param i32 i32 i32 i32) (result i32)
                unreachable)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                unreachable))"#
    );
    let mut module = wat::parse_str(core).unwrap();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit");
    let mut resolve = Resolve::default();
    let packages = ["types", "host", "broker", "sql", "rule"]
        .map(|folder| resolve.push_dir(wit.join(folder)).unwrap().0);
    let world = resolve
        .select_world(&packages[4..], Some("hookwire:rule/module"))
        .unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

/// A component from its text.
pub(crate) fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}
