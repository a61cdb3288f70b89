//! Listeners, connections and the worker's I/O.
