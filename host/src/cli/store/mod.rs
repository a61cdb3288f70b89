//! `hookwire store`: makes, checks and measures what pools store into, with a broker
//! running or without.

mod stats;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use hookwire_driver::{AdminError, CheckDepth, Difference, StoreAdmin};
use hookwire_settings::{Pool, Settings, hint};
use serde_json::json;

use super::Failure;
use super::ctl::{print, print_text};
use crate::control::Source;
use crate::{data_dir, pools};

/// Options of `hookwire store`.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreOptions {
    /// Configuration file; the embedded default without it
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Data directory
    #[arg(
        long,
        value_name = "DIR",
        default_value = "hookwire-data",
        global = true
    )]
    data: PathBuf,
    /// Answers as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: StoreVerb,
}

#[derive(Debug, Subcommand)]
enum StoreVerb {
    /// Makes what is missing: the database, tables, indexes, triggers.
    Init {
        /// A pool of the configuration
        pool: String,
    },
    /// Says what is different from what is needed, and ends with 1 if anything is.
    Check {
        /// A pool of the configuration
        pool: String,
        /// Also holds indexes against their tables, which takes several times as long
        #[arg(long)]
        full: bool,
    },
    /// Says what is in it.
    Stats {
        /// A pool of the configuration
        pool: String,
    },
}

impl StoreVerb {
    fn pool(&self) -> &str {
        match self {
            Self::Init { pool } | Self::Check { pool, .. } | Self::Stats { pool } => pool,
        }
    }
}

pub(crate) fn store(options: &StoreOptions) -> Result<(), Failure> {
    let source = Source {
        file: options.config.clone(),
        listen: None,
    };
    let (settings, problems) = source.read();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let block = find(&settings, options.verb.pool())?;
    let store = pools::admin(block, |file| options.data.join(file));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        match &options.verb {
            StoreVerb::Init { .. } => init(options, &*store).await,
            StoreVerb::Check { full, .. } => {
                let depth = if *full {
                    CheckDepth::Full
                } else {
                    CheckDepth::Quick
                };
                check(options, &*store, depth).await
            }
            StoreVerb::Stats { .. } => {
                let stats = store.stats().await.map_err(failed)?;
                let name = &block.name.value;
                tell(
                    options,
                    &stats::json(name, &stats),
                    &stats::lines(name, &stats),
                )
            }
        }
    })
}

fn find<'s>(settings: &'s Settings, name: &str) -> Result<&'s Pool, Failure> {
    let mut pools = settings.pools.iter();
    let found = pools.find(|pool| pool.name.value == name);
    found.ok_or_else(|| {
        let names = settings.pools.iter().map(|pool| pool.name.value.as_str());
        let hint = hint(name, names);
        anyhow!("no pool is called \"{name}\"; {hint}").into()
    })
}

async fn init(options: &StoreOptions, store: &dyn StoreAdmin) -> Result<(), Failure> {
    data_dir::create(&options.data)?;
    let made = store.init().await.map_err(failed)?;
    let mut lines: Vec<String> = made.iter().map(|made| format!("{made}: made")).collect();
    if lines.is_empty() {
        lines.push("nothing was missing".to_owned());
    }
    tell(options, &json!({ "made": made }), &lines)
}

async fn check(
    options: &StoreOptions,
    store: &dyn StoreAdmin,
    depth: CheckDepth,
) -> Result<(), Failure> {
    let differences = store.check(depth).await.map_err(failed)?;
    let mut lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push("no difference".to_owned());
    }
    let as_json =
        |difference: &Difference| json!({ "what": difference.what, "remedy": difference.remedy });
    let all: Vec<_> = differences.iter().map(as_json).collect();
    tell(options, &json!({ "differences": all }), &lines)?;
    match differences.len() {
        0 => Ok(()),
        1 => Err(anyhow!("1 difference").into()),
        count => Err(anyhow!("{count} differences").into()),
    }
}

fn tell(options: &StoreOptions, json: &serde_json::Value, lines: &[String]) -> Result<(), Failure> {
    if options.json {
        print_text(&serde_json::to_string_pretty(json).context("cannot print the answer")?);
    } else {
        lines.iter().for_each(|line| print(line));
    }
    Ok(())
}

fn failed(error: AdminError) -> Failure {
    Failure::Other(error.into())
}
