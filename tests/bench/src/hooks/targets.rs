//! What the figures are held against.

use std::time::Duration;

use anyhow::{Context, Result};
use hookwire_mqtt::QoS;

use super::subject::{Scenario, Subject};
use super::{Figures, HooksOptions};
use crate::broker::Build;
use crate::report::{Bound, Target, median};
use crate::store::sqlite_rows_per_second;

/// CPU time that a rule of a no-op action may add to a message.
const NOOP_ADDS_US: f64 = 0.6;
/// What ten rules of one module may add, over what one adds.
const TEN_RULES: f64 = 2.0;
/// CPU time with rules of other topics over that without any: within what two
/// measurements of one broker differ by.
const ELSEWHERE: f64 = 1.03;
/// The share of the store's own batched rate that the sqlite rule reaches.
const SHARE_OF_STORE: f64 = 0.70;

pub(super) fn of(
    options: &HooksOptions,
    scenarios: &[Scenario],
    rounds: &[Vec<Figures>],
    medians: &[(Scenario, Figures)],
) -> Result<Vec<Target>> {
    let find = |subject, qos, saturated| {
        medians
            .iter()
            .find(|(scenario, _)| {
                scenario.subject == subject
                    && scenario.qos == qos
                    && scenario.saturated == saturated
            })
            .map(|(_, figures)| figures)
    };
    let mut targets = Vec::new();
    let mut at_most = |name: String, figure: f64, bound: f64, unit: &'static str| {
        targets.push(Target {
            name,
            figure,
            bound,
            bound_is: Bound::AtMost,
            unit,
        });
    };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let named = |what: &str| format!("{what}, QoS {}", qos.as_u8());
        for (saturated, bound, what) in [
            (true, 0.25, "CPU of no rule over Mosquitto's, saturated"),
            (false, 1.0, "CPU of no rule over Mosquitto's, paced"),
        ] {
            let ours = find(Subject::NoRule, qos, saturated);
            if let Some((ours, theirs)) = ours.zip(find(Subject::Mosquitto, qos, saturated)) {
                at_most(named(what), ours.cpu_us / theirs.cpu_us, bound, "");
            }
        }
        let by_round = |subject| cpu_by_round(scenarios, rounds, subject, qos);
        let Some(none) = by_round(Subject::NoRule) else {
            continue;
        };
        // Each round's own difference: the machine's moods fall on both.
        let added = |subject| -> Option<Vec<f64>> {
            let with = by_round(subject)?;
            let pairs = with.iter().zip(&none);
            Some(pairs.map(|(with, none)| with - none).collect())
        };
        if let Some(elsewhere) = by_round(Subject::Elsewhere) {
            let pairs = elsewhere.iter().zip(&none);
            at_most(
                named("CPU with rules elsewhere over none, saturated"),
                median(&mut pairs.map(|(with, none)| with / none).collect::<Vec<_>>()),
                ELSEWHERE,
                "",
            );
        }
        let Some(one) = added(Subject::NoOp) else {
            continue;
        };
        at_most(
            named("CPU that the no-op rule adds, saturated"),
            median(&mut one.clone()),
            NOOP_ADDS_US,
            " us",
        );
        if let Some(ten) = added(Subject::TenNoOps) {
            anyhow::ensure!(
                median(&mut one.clone()) > 0.0,
                "what one rule adds is not measurable here: run it again, with more rounds"
            );
            at_most(
                named("CPU that ten rules of a module add over what one adds, saturated"),
                median(&mut ten.clone()) / median(&mut one.clone()),
                TEN_RULES,
                "",
            );
        }
    }
    if let Some(ours) = find(Subject::Sqlite, QoS::AtLeastOnce, true) {
        let batch = ours
            .mean_rows
            .context("the broker did not log rows_per_transaction")?;
        let directory = tempfile::tempdir()?;
        let own = sqlite_rows_per_second(
            directory.path(),
            (batch.round() as usize).max(1),
            options.payload,
            Duration::from_secs(options.seconds),
        )?;
        println!(
            "\nSQLite's own rate, {batch:.0} rows a transaction: {own:.0} rows/s; the sqlite rule: \
             {:.0} rows/s",
            ours.per_second
        );
        targets.push(Target {
            name: "rate of the sqlite rule over the store's own".to_owned(),
            figure: ours.per_second / own,
            bound: SHARE_OF_STORE,
            bound_is: Bound::AtLeast,
            unit: "",
        });
    }
    Ok(targets)
}

/// CPU time a message of a saturated scenario, by round.
fn cpu_by_round(
    scenarios: &[Scenario],
    rounds: &[Vec<Figures>],
    subject: Subject,
    qos: QoS,
) -> Option<Vec<f64>> {
    let is_meant = |scenario: &Scenario| {
        scenario.build == Build::Now
            && scenario.subject == subject
            && scenario.qos == qos
            && scenario.saturated
    };
    let place = scenarios.iter().position(is_meant)?;
    let figures = rounds.get(place)?;
    Some(figures.iter().map(|figures| figures.cpu_us).collect())
}

/// CPU time a message now over then: the median of the rounds' own ratios.
pub(super) fn against(
    revision: &str,
    scenarios: &[Scenario],
    rounds: &[Vec<Figures>],
) -> Vec<Target> {
    const MOST: f64 = 1.05;
    let measured: Vec<_> = scenarios.iter().zip(rounds).collect();
    measured
        .chunks_exact(2)
        .filter_map(|pair| {
            let [(scenario, now), (_, then)] = pair else {
                return None;
            };
            let ratios = now
                .iter()
                .zip(then.iter())
                .map(|(now, then)| now.cpu_us / then.cpu_us);
            Some(Target {
                name: format!("CPU over {revision}'s, {}", scenario.name()),
                figure: median(&mut ratios.collect::<Vec<_>>()),
                bound: MOST,
                bound_is: Bound::AtMost,
                unit: "",
            })
        })
        .collect()
}
