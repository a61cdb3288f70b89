//! Components written by hand, for what a compiler would not produce.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The interfaces of the host, in the order in which they need each other, and
/// what little of WASI these guests use.
const WIT: [(&str, &str); 6] = [
    (
        "types.wit",
        include_str!("../../../../../wit/types/types.wit"),
    ),
    ("host.wit", include_str!("../../../../../wit/host/host.wit")),
    (
        "broker.wit",
        include_str!("../../../../../wit/broker/broker.wit"),
    ),
    ("sql.wit", include_str!("../../../../../wit/sql/sql.wit")),
    ("rule.wit", include_str!("../../../../../wit/rule/rule.wit")),
    ("written.wit", include_str!("written_guest.wit")),
];

/// A component whose core module has these imports and this body of
/// `describe`; its other exports trap.
pub(crate) fn describing(imports: &str, describe: &str) -> Vec<u8> {
    written(imports, describe, "unreachable", "unreachable")
}

/// A component with the action `act`, which is this body of `handle`; it may
/// use memory up to 64 KiB.
pub(crate) fn acting(imports: &str, handle: &str) -> Vec<u8> {
    let handle = format!("{handle} (i32.const 1320)");
    written(imports, &manifest(1), "(i32.const 1300)", &handle)
}

/// A component that asks all of WASI what there is, as one that was compiled for
/// it does, and traps if it finds anything.
pub(crate) fn asking_wasi() -> Vec<u8> {
    let imports = r#"
        (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
        (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
        (import "wasi:clocks/wall-clock@0.2.0" "now" (func $now (param i32)))
        (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $ticks (result i64)))
        (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
            (func $socket (param i32 i32)))
        (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))"#;
    let look = "(call $environment (i32.const 1400))
        (if (i32.load (i32.const 1404)) (then unreachable))
        (call $directories (i32.const 1408))
        (if (i32.load (i32.const 1412)) (then unreachable))
        (call $now (i32.const 1416))
        (if (i64.ne (i64.load (i32.const 1416)) (i64.const 0)) (then unreachable))
        (if (i64.ne (call $ticks) (i64.const 0)) (then unreachable))
        (call $socket (i32.const 0) (i32.const 1440))
        (if (i32.ne (i32.load8_u (i32.const 1440)) (i32.const 1)) (then unreachable))
        (call $write (call $stdout) (i32.const 3000) (i32.const 19) (i32.const 1456))";
    acting(imports, look)
}

/// A component with the action `act` whose `configure` has this body.
pub(crate) fn configuring(configure: &str) -> Vec<u8> {
    written("", &manifest(1), configure, "unreachable")
}

/// A component whose manifest claims so many actions, all of them `act`.
pub(crate) fn claiming(actions: usize) -> Vec<u8> {
    let page = 65_536;
    let bytes = actions * ACTION_BYTES + MANY_AT;
    let more_pages = bytes.div_ceil(page).saturating_sub(PAGES);
    // Copies of the first action, one behind the other.
    let describe = format!(
        "(local $at i32)
        (drop (memory.grow (i32.const {more_pages})))
        {manifest}
        drop
        (local.set $at (i32.const {MANY_AT}))
        (loop $more
            (memory.copy (local.get $at) (i32.const 1200) (i32.const {ACTION_BYTES}))
            (local.set $at (i32.add (local.get $at) (i32.const {ACTION_BYTES})))
            (br_if $more (i32.lt_u (local.get $at) (i32.const {bytes}))))
        (i32.store (i32.const 1040) (i32.const {MANY_AT}))
        (i32.store (i32.const 1044) (i32.const {actions}))
        (i32.const 1024)",
        manifest = manifest(1),
    );
    written("", &describe, "unreachable", "unreachable")
}

/// A component from its text.
pub(crate) fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is a component")
}

const ACTION_BYTES: usize = 52;
const MANY_AT: usize = 131_072;
const PAGES: usize = 4;

/// The body of a `describe` that answers one action named `act`: a manifest at
/// 1024, its action at 1200, and the action's hooks at 1100.
fn manifest(actions: usize) -> String {
    let words = [
        (1024, 2048),
        (1028, 7),
        (1032, 2055),
        (1036, 1),
        (1040, 1200),
        (1044, actions),
        (1200, 2056),
        (1204, 3),
        (1216, 1100),
        (1220, 1),
        // Takes batches.
        (1240, 0x0100),
        (1100, 2059),
        (1104, 15),
    ];
    let stores = words.map(|(at, word)| format!("(i32.store (i32.const {at}) (i32.const {word}))"));
    format!("{} (i32.const 1024)", stores.concat())
}

fn written(imports: &str, describe: &str, configure: &str, handle: &str) -> Vec<u8> {
    let core = format!(
        r#"(module
            {imports}
            (memory (export "memory") {PAGES})
            (table $table 1 funcref)
            (global $free (mut i32) (i32.const 65536))
            (data (i32.const 16) "from describe")
            (data (i32.const 2048) "written1actmessage.publish")
            (data (i32.const 3000) "it reaches nothing\n")
            (func (export "hookwire:rule/actions@0.1.0#describe") (result i32)
                {describe})
            (func (export "hookwire:rule/actions@0.1.0#configure")
                (param i32 i32 i32 i32 i32 i32) (result i32)
                {configure})
            (func $handle (export "hookwire:rule/actions@0.1.0#handle")
                (param i32 i32 i32 i32) (result i32)
                (local $number i32)
                (global.set $free (i32.const 65536))
                {handle})
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at
                    (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at)))"#
    );
    let mut module = wat::parse_str(core).expect("the text is a module");
    let mut resolve = Resolve::default();
    let packages = WIT.map(|(name, text)| {
        let package = resolve.push_str(name, text);
        package.expect("the interfaces are sound")
    });
    let world = resolve
        .select_world(&packages[5..], Some("hookwire:written/written"))
        .expect("there is such a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module takes a section more");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .expect("the module has what its world asks for")
}
