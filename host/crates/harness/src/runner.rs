//! Runs the steps of a fixture on a thread that stands for a worker.

use std::time::{Duration, Instant};

use hookwire_rules::{Metric, ModuleFigures};
use hookwire_settings::{At, Problem};
use tokio::task::LocalSet;

use crate::capture::{Capture, Lines};
use crate::fixture::{self, Event, Expectation, Fixture, Step};
use crate::harness::Harness;
use crate::question::Given;
use crate::seen::Seen;
use crate::stage::Stage;
use crate::trace::{Did, Trace};
use crate::worker::Worker;

/// Beyond what rules and modules may take by themselves.
const PATIENCE: Duration = Duration::from_secs(20);
const QUERY_ROWS: usize = 10_000;

/// Runs a fixture.
pub(crate) fn run(harness: &Harness, fixture: &Fixture) -> Result<Trace, Vec<Problem>> {
    let mut stage = Stage::set(harness, fixture, |store| store)?;
    let mut limits = std::mem::take(&mut stage.limits);
    let lines = Lines::default();
    let steps = tracing::subscriber::with_default(Capture(lines.clone()), || {
        on_thread(fixture, async {
            let worker = worker(&stage, fixture)?;
            let run = Run {
                harness,
                fixture,
                stage: &stage,
                worker,
                lines,
                now_ms: fixture.starts_at_ms,
                errors: 0,
            };
            run.steps().await
        })
    })?;
    for module in stage.plan.module_stats() {
        let mut blocks = fixture.settings.modules.iter();
        if let Some(block) = blocks.find(|block| block.name.value == module.module) {
            limits.add(block, &module);
        }
    }
    for did in steps.iter().filter(|did| !did.seen.is_empty()) {
        limits.took(did.took);
    }
    limits.close();
    Ok(Trace { steps, limits })
}

/// Runs `work` on this thread as on a worker's.
pub(crate) fn on_thread<T>(
    fixture: &Fixture,
    work: impl Future<Output = Result<T, Vec<Problem>>>,
) -> Result<T, Vec<Problem>> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build();
    let runtime = runtime.map_err(|error| problem(&fixture.start, error.to_string()))?;
    LocalSet::new().block_on(&runtime, work)
}

/// A worker with the rules of a stage.
pub(crate) fn worker<'f>(stage: &Stage, fixture: &'f Fixture) -> Result<Worker<'f>, Vec<Problem>> {
    let worker = Worker::new(&stage.plan, &stage.house, &fixture.clients);
    worker.map_err(|error| problem(&fixture.start, error.to_string()))
}

/// How long events of a fixture may take: what its rules allow, and some.
pub(crate) fn patience(fixture: &Fixture) -> Duration {
    let settings = &fixture.settings;
    let deadlines = settings.modules.iter().map(|module| module.deadline);
    let retries = settings.rules.iter().filter_map(|rule| rule.retry_for);
    PATIENCE + deadlines.chain(retries).max().unwrap_or_default() * 2
}

pub(crate) fn problem(at: &At, message: String) -> Vec<Problem> {
    vec![Problem {
        at: at.clone(),
        message,
    }]
}

struct Run<'a> {
    harness: &'a Harness,
    fixture: &'a Fixture,
    stage: &'a Stage,
    worker: Worker<'a>,
    lines: Lines,
    now_ms: u64,
    /// Failures that rules have counted so far.
    errors: u64,
}

impl Run<'_> {
    async fn steps(mut self) -> Result<Vec<Did>, Vec<Problem>> {
        let mut steps = Vec::with_capacity(self.fixture.steps.len());
        for step in &self.fixture.steps {
            let did = match step {
                Step::Events(events) => self.events(events).await?,
                Step::Advance(by) => {
                    let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                    self.now_ms = self.now_ms.saturating_add(by_ms);
                    self.harness.clock.set(self.now_ms);
                    Did::default()
                }
                Step::Fault(fault) => {
                    match self.stage.pools.get(&fault.what) {
                        Some(pool) => pool.fail(fault.clone()),
                        None => self.harness.world.fail(fault.clone()),
                    }
                    Did::default()
                }
                Step::Http(answer) => {
                    self.harness.world.answer(answer.clone());
                    Did::default()
                }
                Step::Expect(expected) => self.look(expected).await,
            };
            steps.push(did);
        }
        Ok(steps)
    }

    async fn events(&mut self, events: &[Event]) -> Result<Did, Vec<Problem>> {
        let began = Instant::now();
        let given: Vec<(u64, Given)> = events
            .iter()
            .map(|event| self.worker.give(event, self.now_ms))
            .collect();
        let settled = self.worker.settle(patience(self.fixture)).await;
        let took = began.elapsed();
        let mut settled = settled.map_err(|unsettled| {
            let at = events
                .first()
                .map_or(&self.fixture.start, |event| &event.at);
            let missing = unsettled.missing;
            problem(
                at,
                format!("{missing} of its events did not come to an end"),
            )
        })?;
        let errors: u64 = self.stage.plan.stats().iter().map(|rule| rule.errors).sum();
        let failed = errors - self.errors;
        self.errors = errors;
        let mut seen: Vec<Seen> = events
            .iter()
            .zip(&given)
            .map(|(event, (number, given))| {
                let goes_on = fixture::goes_on(event.hook);
                match given {
                    Given::ToNobody => Seen::unseen(goes_on),
                    Given::Told => Seen::word(goes_on),
                    Given::Awaited => {
                        let seen = settled.remove(number);
                        seen.unwrap_or_else(|| Seen::unseen("nothing"))
                    }
                }
            })
            .collect();
        // Nobody is told which event a rule failed on that only told of it; of
        // one event alone it is known.
        if let ([(_, Given::Told)], [only]) = (given.as_slice(), seen.as_mut_slice())
            && failed > 0
        {
            only.verdict = "failed";
        }
        Ok(Did {
            seen,
            failed,
            store: self.stage.journal.take(),
            broker: std::mem::take(&mut self.worker.asked),
            http: self.harness.world.take(),
            log: self.lines.take(),
            took,
            ..Did::default()
        })
    }

    /// Looks at what an expectation is about.
    async fn look(&self, expected: &Expectation) -> Did {
        let mut queries = Vec::with_capacity(expected.queries.len());
        for query in &expected.queries {
            let Some(pool) = self.stage.pools.get(&query.pool) else {
                continue;
            };
            let deadline = Instant::now() + PATIENCE;
            let statement = query.statement.as_str().into();
            let found = pool
                .store()
                .query(statement, Vec::new(), QUERY_ROWS, deadline);
            queries.push(found.await);
        }
        let modules = &self.fixture.settings.modules;
        let kept = expected.kept.iter().map(|(key, _)| {
            let mut modules = modules.iter();
            modules.find_map(|module| {
                let name = &module.name.value;
                self.harness.runtime.kept(name, &key.value)
            })
        });
        let house = self.stage.house.stats();
        Did {
            queries,
            kept: kept.collect(),
            figures: self.figures(),
            dead_letters: house.dead_letters,
            spooled: house.spooled,
            ..Did::default()
        }
    }

    fn figures(&self) -> Vec<(String, Metric)> {
        let modules = &self.fixture.settings.modules;
        let is_here = |figures: &ModuleFigures| {
            let mut names = modules.iter().map(|module| &module.name.value);
            names.any(|name| *name == figures.module)
        };
        let figures = self.harness.runtime.figures();
        let here = figures.into_iter().filter(is_here);
        here.flat_map(|figures| figures.figures).collect()
    }
}
