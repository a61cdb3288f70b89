//! `hookwire:host/random`: random numbers of the operating system.

use hookwire_bindings::wit::hookwire::host::random::Host as RandomHost;
use wasmtime::{bail, format_err};

use crate::host::Host;

const MAX_BYTES: u32 = 65_536;

impl RandomHost for Host {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.check_may_call("random.bytes")?;
        if count > MAX_BYTES {
            bail!("random.bytes was asked for {count} bytes, and gives {MAX_BYTES} at most");
        }
        let mut bytes = vec![0; usize::try_from(count)?];
        getrandom::fill(&mut bytes)
            .map_err(|error| format_err!("the operating system has no random numbers: {error}"))?;
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        self.check_may_call("random.number")?;
        getrandom::u64()
            .map_err(|error| format_err!("the operating system has no random numbers: {error}"))
    }
}
