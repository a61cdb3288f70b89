//! `hookwire:host/key-value` and `hookwire:host/metrics`.

use std::time::Duration;

use hookwire_bindings::fault::to_guest;
use hookwire_bindings::wit::hookwire::host::{key_value, metrics};
use hookwire_bindings::wit::hookwire::types::faults::Fault;

use crate::host::Host;

impl key_value::Host for Host {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        self.check_may_call("key-value.get")?;
        Ok(self.access.memory.get(&key, self.access.clock.moment()))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> wasmtime::Result<Result<(), Fault>> {
        self.check_may_call("key-value.set")?;
        let ttl = ttl_ms.map(Duration::from_millis);
        let set = self
            .access
            .memory
            .set(key, value, ttl, self.access.clock.moment());
        Ok(set.map_err(to_guest))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<bool> {
        self.check_may_call("key-value.delete")?;
        Ok(self.access.memory.delete(&key, self.access.clock.moment()))
    }

    fn increment(
        &mut self,
        key: String,
        by: i64,
        ttl_ms: Option<u64>,
    ) -> wasmtime::Result<Result<i64, Fault>> {
        self.check_may_call("key-value.increment")?;
        let ttl = ttl_ms.map(Duration::from_millis);
        let sum = self
            .access
            .memory
            .increment(key, by, ttl, self.access.clock.moment());
        Ok(sum.map_err(to_guest))
    }
}

impl metrics::Host for Host {
    fn add(&mut self, name: String, by: u64) -> wasmtime::Result<()> {
        self.check_may_call("metrics.add")?;
        self.access.memory.add(&name, by);
        Ok(())
    }

    fn set(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        self.check_may_call("metrics.set")?;
        self.access.memory.set_gauge(&name, value);
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        self.check_may_call("metrics.observe")?;
        self.access.memory.observe(&name, value);
        Ok(())
    }
}
