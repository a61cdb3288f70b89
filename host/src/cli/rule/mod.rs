//! `hookwire rule`: what an author of rule modules does; one file a verb.

mod bench;
mod build;
mod bundled;
mod new;
mod project;
mod record;
mod replay;
mod sdk;
mod template;
mod test;

use anyhow::Result;
use clap::Subcommand;

/// Options of `hookwire rule`.
#[derive(Debug, clap::Args)]
pub(crate) struct RuleOptions {
    #[command(subcommand)]
    verb: RuleVerb,
}

#[derive(Debug, Subcommand)]
enum RuleVerb {
    /// Makes a project that builds and passes its tests as it is.
    New(new::NewOptions),
    /// Builds the project into a component.
    Build(build::BuildOptions),
    /// Builds the project and runs its fixtures in the broker's own runtime.
    Test(test::TestOptions),
    /// Builds the project and measures what an event costs.
    Bench(bench::BenchOptions),
    /// Writes a fixture with events of a running broker.
    Record(record::RecordOptions),
    /// Shows what the rules of a fixture make of its events.
    Replay(replay::ReplayOptions),
    /// Runs the fixtures in the component on standard input, as a broker has it
    /// done before it loads one.
    #[command(hide = true)]
    Bundled(bundled::BundledOptions),
}

pub(crate) fn rule(options: &RuleOptions) -> Result<()> {
    match &options.verb {
        RuleVerb::New(options) => new::new(options),
        RuleVerb::Build(options) => build::verb(options),
        RuleVerb::Test(options) => test::test(options),
        RuleVerb::Bench(options) => bench::bench(options),
        RuleVerb::Record(options) => record::record(options),
        RuleVerb::Replay(options) => replay::replay(options),
        RuleVerb::Bundled(options) => bundled::bundled(options),
    }
}
