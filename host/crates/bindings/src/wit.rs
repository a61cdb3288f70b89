//! What the macro makes of `wit/`: the imports as traits for the host to
//! implement, and the types of both directions as owned values. Only the cold
//! calls (`describe`, `configure`) and what guests send use these types; the
//! events of `handle` are lowered from borrowed ones, see [`crate::event`].

#![allow(missing_docs, reason = "the interfaces are documented in wit/")]

wasmtime::component::bindgen!({
    path: [
        "../../../wit/types",
        "../../../wit/host",
        "../../../wit/broker",
        "../../../wit/sql",
        "../../../wit/rule",
    ],
    world: "hookwire:rule/module",
    imports: {
        "hookwire:host/log": trappable,
        "hookwire:host/clock": trappable,
        "hookwire:host/random": trappable,
        "hookwire:host/metrics": trappable,
        "hookwire:host/key-value": trappable,
        "hookwire:broker/broker.publish": trappable,
        "hookwire:broker/broker.deliver": trappable,
        "hookwire:broker/broker.subscribe": trappable,
        "hookwire:broker/broker.unsubscribe": trappable,
        "hookwire:broker/broker.disconnect": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    with: {
        "hookwire:sql/sql.pool": crate::sql::OpenPool,
    },
});
