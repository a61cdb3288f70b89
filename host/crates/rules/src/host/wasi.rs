//! WASI for components that were built with it: there, with nothing behind it.
//!
//! No files, no sockets, no environment, no arguments. Clocks stand still and
//! random numbers are always the same, unless the module was granted `clock` or
//! `random`. What is written to standard output and error goes to the log.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hookwire_bindings::wit::hookwire::host::log::Level;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use crate::host::log::MAX_LINE_BYTES;
use crate::host::{Access, Host};

/// Resources that a guest may hold at once.
const MAX_RESOURCES: usize = 256;

/// What stands behind an instance's WASI.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    pub(crate) fn new(module: &Arc<str>, access: &Arc<Access>) -> Self {
        let mut builder = WasiCtxBuilder::new();
        let log = || LogStream {
            module: Arc::clone(module),
            access: Arc::clone(access),
        };
        builder
            .stdout(log())
            .stderr(log())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(65_536);
        if !access.has("clock") {
            builder.wall_clock(Still).monotonic_clock(Still);
        }
        if !access.has("random") {
            let same = || Deterministic::new(vec![0x5a]);
            builder
                .secure_random(same())
                .insecure_random(same())
                .insecure_random_seed(0);
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            ctx: builder.build(),
            table,
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self
            .wasi
            .get_or_insert_with(|| Box::new(Wasi::new(&self.module, &self.access)));
        WasiCtxView {
            ctx: &mut wasi.ctx,
            table: &mut wasi.table,
        }
    }
}

/// Links all of WASI 0.2.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// A clock that shows the Unix epoch.
struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Standard output or error: lines for the log.
#[derive(Clone)]
struct LogStream {
    module: Arc<str>,
    access: Arc<Access>,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LogWriter {
            stream: self.clone(),
            line: Vec::new(),
        })
    }
}

struct LogWriter {
    stream: LogStream,
    line: Vec<u8>,
}

impl LogWriter {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() {
            let LogStream { module, access } = &self.stream;
            access.log.write(module, Level::Info, line);
        }
        self.line.clear();
    }
}

impl AsyncWrite for LogWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= MAX_LINE_BYTES {
                self.end_line();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.end_line();
    }
}
