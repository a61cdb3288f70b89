//! `hookwire run`

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;

use super::Failure;
use crate::control::Source;
use crate::telemetry::{self, LogFormat};
use crate::{boot, shutdown};

/// Options of `hookwire run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunOptions {
    /// Configuration file; the embedded default without it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address of the first listener, in place of the configured one
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Data directory
    #[arg(long, value_name = "DIR", default_value = "hookwire-data")]
    pub(crate) data: PathBuf,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
}

pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    telemetry::start(options.log_format);
    end_on_panic();
    let source = Source {
        file: options.config.clone(),
        listen: options.listen,
    };
    let (settings, problems) = source.read();
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVICE_THREADS)
        .thread_name("service")
        .enable_all()
        .build()
        .context("cannot start the service runtime")?;
    service.block_on(async {
        let mut broker = boot::start(source, settings, problems, &options.data).await?;
        let signal = broker.signals.stop(&broker.control).await;
        shutdown::stop(broker, signal).await;
        Ok(())
    })
}

/// A thread that panicked leaves clients without a worker, or rows without a
/// writer. Nothing that was acknowledged depends on this process living on; so
/// it ends, and whoever supervises it starts it anew.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Threads for drivers and greetings, beside the workers.
const SERVICE_THREADS: usize = 2;
