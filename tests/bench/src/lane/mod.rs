//! What one lane costs, in this process and on one thread, without a broker:
//! the insert of the stock module `sqlite` as Wasm and the same in native Rust,
//! by turns; and a rule that does nothing, in batches of several sizes.
//!
//! Both inserts run behind the same lane and journal, into a database each of
//! the broker's own driver. They are compared only after both have stored the
//! same rows.

mod drive;
mod native;
mod stores;
mod subject;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use hookwire_broker::IdGenerator;
use hookwire_driver::SqlPool;
use hookwire_rules::{LoadedModule, Plan, Runtime};
use serde_json::{Value, json};
use tokio::task::{LocalSet, spawn_local};

use crate::broker::modules;
use crate::report::{Bound, Target, median};
use drive::{Cost, Driven, messages, plan};
use native::NativeSqlite;
use stores::{Forgetful, Stores};
use subject::{Code, Store, Subject};

/// Messages of one measurement: many full batches of each size.
const MESSAGES: usize = 10 * 1024;
/// Messages that bring the instances up, and show that both sides do the same.
const WARM_UP: usize = 1024;
/// Rounds are short and many: what else the machine does is longer than a round,
/// and falls on both sides of most.
const LEAST_ROUNDS: usize = 21;
/// CPU time of the insert as Wasm over that of the same in native Rust.
const OVER_NATIVE: f64 = 1.2;
const MAX_MEMORY_BYTES: usize = 64 << 20;

/// What is measured, beside the subjects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneOptions {
    pub(crate) payload_bytes: usize,
    pub(crate) rounds: usize,
}

/// Rows of the report, and targets.
pub(crate) type Findings = (Vec<Value>, Vec<Target>);

/// Measures the subjects whose names are chosen, and prints a table.
pub(crate) fn run(options: LaneOptions, is_chosen: impl Fn(&str) -> bool) -> Result<Findings> {
    let options = LaneOptions {
        rounds: options.rounds.max(LEAST_ROUNDS),
        ..options
    };
    let subjects: Vec<Subject> = Subject::all()
        .filter(|subject| is_chosen(&subject.name()))
        .collect();
    if subjects.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let rounds = measure(&subjects, options)?;
    println!(
        "\none lane, in process: {MESSAGES} messages of {} bytes a round, {} rounds",
        options.payload_bytes, options.rounds
    );
    println!(
        "{:56} {:>10} {:>10} {:>10}",
        "scenario", "CPU us", "worker us", "wall us"
    );
    let mut rows = Vec::new();
    for (subject, costs) in subjects.iter().zip(&rounds) {
        let name = subject.name();
        let of = |pick: fn(&Cost) -> f64| median(&mut costs.iter().map(pick).collect::<Vec<_>>());
        let (cpu, worker, wall) = (of(|c| c.cpu_us), of(|c| c.worker_us), of(|c| c.wall_us));
        println!("{name:56} {cpu:>10.2} {worker:>10.2} {wall:>10.2}");
        rows.push(json!({
            "scenario": name,
            "cpu_us": cpu,
            "worker_us": worker,
            "wall_us": wall,
        }));
    }
    Ok((rows, over_native(&subjects, &rounds).into_iter().collect()))
}

/// The median of the rounds' own ratios: the machine's moods fall on both.
fn over_native(subjects: &[Subject], rounds: &[Vec<Cost>]) -> Option<Target> {
    let costs = |code| {
        let meant = Subject::Insert(code, Store::Sqlite);
        let place = subjects.iter().position(|subject| *subject == meant)?;
        rounds.get(place)
    };
    let pairs = costs(Code::Wasm)?.iter().zip(costs(Code::Native)?);
    let mut ratios: Vec<f64> = pairs
        .map(|(wasm, native)| wasm.cpu_us / native.cpu_us)
        .collect();
    Some(Target {
        name: "CPU of the sqlite insert as Wasm over native, batches of 64".to_owned(),
        figure: median(&mut ratios),
        bound: OVER_NATIVE,
        bound_is: Bound::AtMost,
        unit: "",
    })
}

/// The costs of each subject, by round.
fn measure(subjects: &[Subject], options: LaneOptions) -> Result<Vec<Vec<Cost>>> {
    let directory = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let mut stores = Stores::new()?;
    let mut plans = Vec::new();
    for &subject in subjects {
        let pool: Arc<dyn SqlPool> = match subject {
            Subject::Insert(code, Store::Sqlite) => stores.open(code, directory.path())?,
            Subject::Insert(_, Store::Nowhere) | Subject::NoOp { .. } => Arc::new(Forgetful),
        };
        let module = load(subject, &runtime)?;
        plans.push((subject, plan(subject, &runtime, module, pool)?));
    }
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stores = Arc::new(stores);
    let rounds = LocalSet::new().block_on(&worker, async {
        // A task like the lanes: waking the outermost future costs a system call.
        spawn_local(all_rounds(plans, Arc::clone(&stores), options)).await
    })??;
    drop(worker);
    if let Some(stores) = Arc::into_inner(stores) {
        stores.close();
    }
    Ok(rounds)
}

async fn all_rounds(
    plans: Vec<(Subject, Arc<Plan>)>,
    stores: Arc<Stores>,
    options: LaneOptions,
) -> Result<Vec<Vec<Cost>>> {
    let mut ids = IdGenerator::new(0, 0, 0);
    let mut driven = Vec::new();
    for (subject, plan) in plans {
        driven.push((Driven::new(subject, plan)?, Vec::new()));
    }
    let warm_up = messages(&mut ids, WARM_UP, options.payload_bytes);
    for (driven, _) in &mut driven {
        driven.publish(&warm_up).await?;
    }
    stores.check_same(WARM_UP).await?;
    for round in 0..options.rounds {
        let messages = messages(&mut ids, MESSAGES, options.payload_bytes);
        // Every other round backwards, so that neither side is always first.
        let mut order: Vec<_> = driven.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (driven, costs) in order {
            costs.push(driven.publish(&messages).await?);
        }
    }
    let published = WARM_UP + options.rounds * MESSAGES;
    stores.check_same(published).await?;
    let mut rounds = Vec::new();
    for (driven, costs) in driven {
        driven.check_batches(published)?;
        rounds.push(costs);
    }
    Ok(rounds)
}

fn load(subject: Subject, runtime: &Runtime) -> Result<LoadedModule> {
    let name = subject.module();
    let path = modules()?.join(format!("{name}.wasm"));
    let component =
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let stock = runtime.load(name, &component, MAX_MEMORY_BYTES)?;
    if !matches!(subject, Subject::Insert(Code::Native, _)) {
        return Ok(stock);
    }
    let native = LoadedModule::native(name, Arc::new(NativeSqlite))?;
    // What the host shows an action hangs on what the action says of itself.
    let stock = stock.manifest().actions.iter();
    for action in &native.manifest().actions {
        ensure!(
            stock.clone().any(|stock| stock == action),
            "the native {} does not describe itself as the stock one does",
            action.name
        );
    }
    Ok(native)
}
