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
        let set = self.test_fault("key-value.set").and_then(|()| {
            let now = self.access.clock.moment();
            self.access.memory.set(key, value, ttl, now)
        });
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
        let sum = self.test_fault("key-value.increment").and_then(|()| {
            let now = self.access.clock.moment();
            self.access.memory.increment(key, by, ttl, now)
        });
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::{Access, Phase};
    use crate::module::figures::Metric;
    use crate::module::memory::ModuleMemory;

    fn host(memory: &Arc<ModuleMemory>) -> Host {
        let access = Access {
            memory: Arc::clone(memory),
            ..Access::default()
        };
        Host::new("m".into(), Phase::Serving, Arc::new(access), 1 << 20)
    }

    #[test]
    fn instances_share_what_their_module_keeps() {
        let memory = Arc::new(ModuleMemory::default());
        memory.set_bound(10_000);
        let (mut one, mut other) = (host(&memory), host(&memory));
        key_value::Host::set(&mut one, "k".to_owned(), b"v".to_vec(), None)
            .unwrap()
            .unwrap();
        let seen = key_value::Host::get(&mut other, "k".to_owned()).unwrap();
        assert_eq!(seen, Some(b"v".to_vec()));
        let add = |host: &mut Host| {
            key_value::Host::increment(host, "n".to_owned(), 2, Some(60_000))
                .unwrap()
                .unwrap()
        };
        assert_eq!((add(&mut one), add(&mut other)), (2, 4));
        assert!(key_value::Host::delete(&mut one, "k".to_owned()).unwrap());
        assert!(!key_value::Host::delete(&mut one, "k".to_owned()).unwrap());
        metrics::Host::add(&mut one, "seen".to_owned(), 1).unwrap();
        metrics::Host::add(&mut other, "seen".to_owned(), 2).unwrap();
        metrics::Host::set(&mut one, "level".to_owned(), 0.5).unwrap();
        metrics::Host::observe(&mut one, "took".to_owned(), 0.5).unwrap();
        let (figures, _) = memory.figures();
        assert!(figures.contains(&("seen".to_owned(), Metric::Counter(3))));
        assert_eq!(figures.len(), 3);
    }

    #[test]
    fn random_numbers_are_bounded_and_differ() {
        use hookwire_bindings::wit::hookwire::host::random::Host as Random;
        let mut host = host(&Arc::default());
        let (first, second) = (host.bytes(16).unwrap(), host.bytes(16).unwrap());
        assert_eq!((first.len(), second.len()), (16, 16));
        assert_ne!(first, second);
        assert_ne!(host.number().unwrap(), host.number().unwrap());
        let trap = host.bytes(65_537).unwrap_err().to_string();
        assert!(trap.contains("65536 at most"), "{trap}");
    }
}
