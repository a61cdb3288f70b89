//! Each planted fault, over seeds until the model finds it.

use anyhow::Result;
use hookwire_sim::plan::{Setup, operations};
use hookwire_sim::run::{Options, run};
use hookwire_sim::world::Fault;
use serde_json::json;

use super::Arguments;
use super::report::{Bound, Target, conclude};

/// Seeds that a fault may take until it is found.
const MOST_SEEDS: u64 = 2_000;

pub(super) fn run_all(arguments: &Arguments) -> Result<bool> {
    println!("{:20} {:>6} {:>9}  broken rule", "fault", "seeds", "steps");
    let mut found = 0;
    let mut rows = Vec::new();
    for &fault in Fault::ALL {
        let options = Options {
            fault: Some(fault),
            keeps_log: false,
        };
        let mut steps = 0;
        let caught = (0..MOST_SEEDS).find_map(|number| {
            let setup = Setup::new(arguments.seed + number);
            let outcome = run(&setup, &operations(&setup, arguments.steps), options);
            steps += outcome.steps;
            let violation = outcome.violations.first()?;
            Some((number + 1, violation.rule))
        });
        let name = format!("{fault:?}");
        let (seeds, rule) = match caught {
            Some((seeds, rule)) => (seeds, rule.name()),
            None => (MOST_SEEDS, "none: not found"),
        };
        found += u32::from(caught.is_some());
        println!("{name:20} {seeds:>6} {steps:>9}  {rule}");
        rows.push(json!({ "fault": name, "seeds": seeds, "steps": steps, "rule": rule }));
    }
    let all = Fault::ALL.len() as f64;
    let target = Target::new("faults found", f64::from(found), all, Bound::AtLeast);
    conclude(&[target], &rows, arguments.json.as_deref())
}
