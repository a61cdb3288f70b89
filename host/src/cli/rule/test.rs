//! `hookwire rule test`

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use hookwire_harness::{Harness, Summary};

use super::build::{Bundle, build};
use super::project::Project;

/// How often `--watch` looks.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Options of `hookwire rule test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestOptions {
    /// Fixtures to run; all of tests/ without any
    #[arg(value_name = "FIXTURE")]
    fixtures: Vec<PathBuf>,
    /// Run them again whenever a file of the project changes
    #[arg(long)]
    watch: bool,
    /// Test this component, and build nothing
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Folder of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn test(options: &TestOptions) -> Result<()> {
    if options.watch {
        return watch(options);
    }
    match once(options)? {
        Summary { failed: 0, .. } => Ok(()),
        Summary { failed, .. } => bail!("{failed} fixtures failed"),
    }
}

fn once(options: &TestOptions) -> Result<Summary> {
    let (component, fixtures) = match &options.module {
        Some(module) if !options.fixtures.is_empty() => (module.clone(), options.fixtures.clone()),
        module => {
            let mut project = Project::find(&options.dir)?;
            let fixtures = match options.fixtures.as_slice() {
                [] => project.fixtures()?,
                named => named.to_vec(),
            };
            let component = match module {
                Some(module) => module.clone(),
                None => build(&mut project, Bundle::Sound)?,
            };
            (component, fixtures)
        }
    };
    let harness = Harness::open(&component)?;
    let mut out = std::io::stdout();
    Ok(hookwire_harness::run(&harness, &fixtures, &mut out)?)
}

/// Runs until somebody ends it.
fn watch(options: &TestOptions) -> Result<()> {
    let project = Project::find(&options.dir)?;
    let mut out = std::io::stdout();
    loop {
        let before = files(&project.folder, &options.fixtures);
        if let Err(error) = once(options) {
            writeln!(out, "hookwire: {error:#}")?;
        }
        writeln!(out, "waiting for a change in {}", project.folder.display())?;
        out.flush()?;
        wait_for_change(&before, || files(&project.folder, &options.fixtures));
    }
}

/// Returns when the files are others than before, and have stayed so for a look.
fn wait_for_change(before: &Files, look: impl Fn() -> Files) {
    let mut last = before.clone();
    loop {
        std::thread::sleep(LOOK_EVERY);
        let now = look();
        if now != *before && now == last {
            return;
        }
        last = now;
    }
}

type Files = BTreeMap<PathBuf, (SystemTime, u64)>;

/// The files that a result depends on, when they were changed, and their sizes.
fn files(folder: &Path, fixtures: &[PathBuf]) -> Files {
    let mut found = Files::new();
    collect(folder, &mut found);
    for fixture in fixtures {
        if let Ok(metadata) = fixture.metadata() {
            note(fixture.clone(), &metadata, &mut found);
        }
    }
    found
}

fn note(path: PathBuf, metadata: &fs::Metadata, found: &mut Files) {
    if let Ok(changed) = metadata.modified() {
        found.insert(path, (changed, metadata.len()));
    }
}

fn collect(folder: &Path, found: &mut Files) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            collect(&entry.path(), found);
        } else {
            note(entry.path(), &metadata, found);
        }
    }
}
