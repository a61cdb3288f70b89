//! The broker core: sessions, routing, delivery; no I/O.
