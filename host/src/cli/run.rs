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

pub(crate) fn run(options: RunOptions) -> Result<(), Failure> {
    telemetry::start();
    let mut settings = match &options.config {
        Some(file) => Settings::load(file)?,
        None => Settings::embedded(),
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
        let broker = boot::start(settings, &options.data).await?;
        let signal = shutdown::signal().await?;
        shutdown::stop(broker, signal).await;
        Ok(())
    })
}

/// Threads for drivers and greetings, beside the workers.
const SERVICE_THREADS: usize = 2;
