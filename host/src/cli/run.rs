//! `hookwire run`

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use hookwire_settings::Settings;

use super::Failure;
use crate::{boot, shutdown, telemetry};

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
}

pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    telemetry::start();
    end_on_panic();
    let (mut settings, problems) = match &options.config {
        Some(file) => Settings::read(file),
        None => (Settings::embedded(), Vec::new()),
    };
    if let (Some(address), Some(listener)) = (options.listen, settings.listeners.first_mut()) {
        listener.address = address;
    }
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVICE_THREADS)
        .thread_name("service")
        .enable_all()
        .build()
        .context("cannot start the service runtime")?;
    service.block_on(async {
        let broker = boot::start(settings, problems, &options.data).await?;
        let signal = shutdown::signal().await?;
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
