//! What an event costs in batches of several sizes, without the disk: stores
//! take every row at once, and answer queries as SQLite does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, PoolFuture, Row, RowSet, SqlPool};
use hookwire_rules::ModuleStats;
use hookwire_settings::Problem;

use crate::fixture::{Event, Fixture, Step};
use crate::harness::Harness;
use crate::runner::{on_thread, patience, problem, worker};
use crate::stage::Stage;
use crate::world::World;

/// Events of one batch, in the sizes that are measured.
pub const SIZES: [usize; 4] = [1, 8, 64, 256];

/// What batches of one size cost.
#[derive(Debug, Clone)]
pub struct BatchCost {
    /// Events handed over together.
    pub size: usize,
    /// Events in all.
    pub events: usize,
    /// How long they took together.
    pub took: Duration,
    /// Calls into modules.
    pub handle_calls: u64,
    /// Calls of the host, log lines left out.
    pub host_calls: u64,
    /// Calls of stores.
    pub store_calls: usize,
}

impl BatchCost {
    /// Nanoseconds for one event.
    #[must_use]
    pub fn ns_per_event(&self) -> u128 {
        self.took.as_nanos() / u128::try_from(self.events.max(1)).unwrap_or(1)
    }
}

/// Hands the events of a fixture over again and again, `events` in all for each
/// of [`SIZES`]. Its faults, steps of the clock and expectations are left out.
///
/// # Errors
/// Everything that keeps it from being run.
pub fn bench(
    harness: &Harness,
    fixture: &Fixture,
    events: usize,
) -> Result<Vec<BatchCost>, Vec<Problem>> {
    let mut fixture = fixture.clone();
    for module in &mut fixture.settings.modules {
        module.max_batch = module.max_batch.max(SIZES[SIZES.len() - 1]);
    }
    let stage = Stage::set(harness, &fixture, |store| Arc::new(TakesAll(store)))?;
    for step in &fixture.steps {
        if let Step::Http(answer) = step {
            harness.world.answer(answer.clone());
        }
    }
    let given: Vec<&Event> = fixture.events().collect();
    if given.is_empty() {
        let what = "there is no event to hand over".to_owned();
        return Err(problem(&fixture.start, what));
    }
    on_thread(&fixture, async {
        let mut bench = Bench {
            world: &harness.world,
            fixture: &fixture,
            stage: &stage,
            worker: worker(&stage, &fixture)?,
            given,
        };
        // The first round makes instances and fills caches.
        bench.measure(SIZES[2], events / 10).await?;
        let mut costs = Vec::with_capacity(SIZES.len());
        for size in SIZES {
            costs.push(bench.measure(size, events).await?);
        }
        Ok(costs)
    })
}

struct Bench<'a> {
    world: &'a World,
    fixture: &'a Fixture,
    stage: &'a Stage,
    worker: crate::worker::Worker<'a>,
    given: Vec<&'a Event>,
}

impl Bench<'_> {
    async fn measure(&mut self, size: usize, events: usize) -> Result<BatchCost, Vec<Problem>> {
        let rounds = events.div_ceil(size).max(1);
        let before = self.counted();
        let patience = patience(self.fixture);
        let mut next = self.given.clone().into_iter().cycle();
        let mut store_calls = 0;
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let began = Instant::now();
            for event in next.by_ref().take(size) {
                self.worker.give(event, self.fixture.starts_at_ms);
            }
            let settled = self.worker.settle(patience).await;
            took += began.elapsed();
            if settled.is_err() {
                let what = format!("a batch of {size} events did not come to an end");
                return Err(problem(&self.fixture.start, what));
            }
            store_calls += self.stage.journal.take().len();
            self.worker.asked.clear();
            self.world.take();
        }
        let after = self.counted();
        Ok(BatchCost {
            size,
            events: rounds * size,
            took,
            handle_calls: after.0 - before.0,
            host_calls: after.1 - before.1,
            store_calls,
        })
    }

    /// Calls into modules and of the host so far.
    fn counted(&self) -> (u64, u64) {
        let stats = self.stage.plan.module_stats();
        let sum = |of: fn(&ModuleStats) -> u64| stats.iter().map(of).sum();
        (
            sum(|stats| stats.handle_calls),
            sum(|stats| stats.host_calls),
        )
    }
}

/// A store that takes rows without keeping them.
struct TakesAll(Arc<dyn SqlPool>);

impl SqlPool for TakesAll {
    fn exec_many(&self, _: Arc<str>, rows: Vec<Row>, _: Instant) -> PoolFuture<BatchResult> {
        Box::pin(async move {
            Ok(BatchResult {
                failed: Vec::new(),
                rows_affected: rows.len() as u64,
            })
        })
    }

    fn query(
        &self,
        statement: Arc<str>,
        parameters: Row,
        max_rows: usize,
        deadline: Instant,
    ) -> PoolFuture<RowSet> {
        self.0.query(statement, parameters, max_rows, deadline)
    }
}
