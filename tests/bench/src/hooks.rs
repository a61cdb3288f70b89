//! `bench hooks`: what a message costs without a rule, with a no-op rule, with
//! the sqlite rule, and in Mosquitto, under the same load.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use hookwire_mqtt::QoS;
use serde_json::{Value, json};

use crate::broker::{Broker, Build};
use crate::load::{self, Load, Pace};
use crate::report::{Bound, Target, conclude, median};
use crate::store::sqlite_rows_per_second;

/// Options of `bench hooks`.
#[derive(Debug, clap::Args)]
pub(crate) struct HooksOptions {
    /// Pairs of a publisher and a subscriber
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Payload of a message, in bytes
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Messages a pair keeps under way at saturation
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Messages a second of a pair when paced
    #[arg(long, default_value_t = 500)]
    per_second: u32,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Times that every measurement is made; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only scenarios whose name holds this word; targets that lack one are left out
    #[arg(long)]
    only: Option<String>,
    /// A revision of git whose broker is measured in turn with this one
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Mosquitto,
    NoRule,
    NoOp,
    Sqlite,
}

impl Subject {
    const ALL: [Self; 4] = [Self::Mosquitto, Self::NoRule, Self::NoOp, Self::Sqlite];

    fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::NoRule => "no rule",
            Self::NoOp => "no-op rule",
            Self::Sqlite => "sqlite rule",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Scenario {
    build: Build,
    subject: Subject,
    qos: QoS,
    saturated: bool,
}

impl Scenario {
    fn name(self) -> String {
        let pace = if self.saturated { "saturated" } else { "paced" };
        let build = match self.build {
            Build::Now => "",
            Build::Against => ", against",
        };
        let qos = self.qos.as_u8();
        format!("{}, QoS {qos}, {pace}{build}", self.subject.name())
    }
}

/// One scenario's figures: the median of its rounds.
#[derive(Debug, Clone, Default)]
struct Figures {
    cpu_us: f64,
    wall_us: f64,
    per_second: f64,
    mean_batch: Option<f64>,
    calls_per_message: Option<f64>,
    mean_rows: Option<f64>,
}

pub(crate) fn run(options: &HooksOptions) -> Result<bool> {
    let scenarios: Vec<Scenario> = scenarios(options.against.is_some())
        .filter(|scenario| {
            options
                .only
                .as_ref()
                .is_none_or(|word| scenario.name().contains(word))
        })
        .collect();
    println!(
        "{} pairs, {} bytes, {} rounds of {} s; saturated: {} under way a pair; paced: {}/s a pair",
        options.pairs,
        options.payload,
        options.rounds,
        options.seconds,
        options.window,
        options.per_second
    );
    // Rounds go over all scenarios, so that the machine's moods fall on each alike.
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); scenarios.len()];
    for round in 1..=options.rounds {
        // Every other round backwards, so that neither of two builds is always first.
        let mut order: Vec<_> = scenarios.iter().zip(&mut rounds).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for (scenario, figures) in order {
            let measured = measure(options, *scenario)
                .with_context(|| format!("round {round} of {}", scenario.name()))?;
            figures.push(measured);
        }
    }
    let medians: Vec<(Scenario, Figures)> = scenarios
        .iter()
        .copied()
        .zip(rounds.iter().map(|figures| middle(figures)))
        .collect();
    let mut rows = Vec::new();
    println!(
        "\n{:32} {:>10} {:>10} {:>10} {:>7} {:>9} {:>7}",
        "scenario", "CPU us", "wall us", "messages/s", "batch", "calls/msg", "rows/tx"
    );
    for (scenario, figures) in &medians {
        println!("{}", table_line(*scenario, figures));
        rows.push(row(*scenario, figures));
    }
    let targets = match &options.against {
        Some(revision) => against(revision, &scenarios, &rounds),
        None => targets(options, &medians)?,
    };
    conclude(&targets, &rows, options.json.as_deref())
}

fn scenarios(against: bool) -> impl Iterator<Item = Scenario> {
    // Mosquitto is measured beside one build, not beside two.
    let subjects = Subject::ALL
        .into_iter()
        .filter(move |subject| !against || *subject != Subject::Mosquitto);
    subjects.flat_map(move |subject| {
        [
            (QoS::AtMostOnce, true),
            (QoS::AtLeastOnce, true),
            (QoS::AtMostOnce, false),
            (QoS::AtLeastOnce, false),
        ]
        .into_iter()
        .flat_map(move |(qos, saturated)| {
            let builds = if against {
                &[Build::Now, Build::Against][..]
            } else {
                &[Build::Now][..]
            };
            builds.iter().map(move |&build| Scenario {
                build,
                subject,
                qos,
                saturated,
            })
        })
    })
}

/// CPU time a message now over then: the median of the rounds' own ratios.
fn against(revision: &str, scenarios: &[Scenario], rounds: &[Vec<Figures>]) -> Vec<Target> {
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

fn measure(options: &HooksOptions, scenario: Scenario) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let broker = match scenario.subject {
        Subject::Mosquitto => Broker::mosquitto(directory.path())?,
        subject => Broker::hookwire(scenario.build, directory.path(), &configuration(subject)?)?,
    };
    let pace = if scenario.saturated {
        Pace::Saturated {
            window: options.window,
        }
    } else {
        Pace::Steady {
            per_second: options.per_second,
        }
    };
    let load = Load {
        pairs: options.pairs,
        payload_bytes: options.payload,
        qos: scenario.qos,
        pace,
        warm_up: Duration::from_millis(700),
        duration: Duration::from_secs(options.seconds),
    };
    let through = load::run(broker.address, load, || broker.cpu())?;
    let log = broker.stop()?;
    let messages = through.messages as f64;
    let handled = logged(&log, "handle_calls")
        .zip(logged(&log, "handled_events"))
        .filter(|(calls, _)| *calls > 0.0);
    Ok(Figures {
        cpu_us: through.broker_cpu.as_secs_f64() * 1e6 / messages,
        wall_us: through.wall.as_secs_f64() * 1e6 / messages,
        per_second: messages / through.wall.as_secs_f64(),
        mean_batch: handled.map(|(calls, events)| events / calls),
        calls_per_message: handled.map(|(calls, events)| calls / events),
        mean_rows: logged(&log, "rows_per_transaction").filter(|rows| *rows > 0.0),
    })
}

/// The configuration of a broker under test: one tcp listener, any free port.
fn configuration(subject: Subject) -> Result<String> {
    let mut text = String::from("listener \"tcp\" \"bench\" {\n  address = \"127.0.0.1:0\"\n}\n");
    match subject {
        Subject::NoOp => {
            let modules = std::env::var("HOOKWIRE_MODULES_DIR").context(
                "HOOKWIRE_MODULES_DIR does not name the folder of the built modules; run this \
                 through `cargo xtask bench`",
            )?;
            writeln!(
                text,
                "module \"noop\" {{\n  path = \"{modules}/noop.wasm\"\n}}\nrule \"noop\" {{\n  hook = \
                 \"message.publish\"\n  module = \"noop\"\n  action = \"noop\"\n}}"
            )?;
        }
        Subject::Sqlite => text.push_str(
            "pool \"sqlite\" \"embedded\" {\n  file = \"hookwire.db\"\n}\nmodule \"sqlite\" {}\n\
             rule \"store\" {\n  hook = \"message.publish\"\n  module = \"sqlite\"\n  action = \
             \"on_message_publish\"\n  pool = \"embedded\"\n}\n",
        ),
        Subject::Mosquitto | Subject::NoRule => {}
    }
    Ok(text)
}

/// The last figure that the broker logged under this name.
fn logged(log: &str, name: &str) -> Option<f64> {
    let from = log.rfind(&format!("{name}="))? + name.len() + 1;
    let figure: String = log
        .get(from..)?
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '.')
        .collect();
    figure.parse().ok()
}

fn middle(figures: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(&mut figures.iter().map(pick).collect::<Vec<_>>());
    let of_some = |pick: fn(&Figures) -> Option<f64>| {
        let mut known: Vec<f64> = figures.iter().filter_map(pick).collect();
        (!known.is_empty()).then(|| median(&mut known))
    };
    Figures {
        cpu_us: of(|figures| figures.cpu_us),
        wall_us: of(|figures| figures.wall_us),
        per_second: of(|figures| figures.per_second),
        mean_batch: of_some(|figures| figures.mean_batch),
        calls_per_message: of_some(|figures| figures.calls_per_message),
        mean_rows: of_some(|figures| figures.mean_rows),
    }
}

fn table_line(scenario: Scenario, figures: &Figures) -> String {
    let optional = |figure: Option<f64>| figure.map_or("-".to_owned(), |f| format!("{f:.3}"));
    format!(
        "{:32} {:>10.2} {:>10.2} {:>10.0} {:>7} {:>9} {:>7}",
        scenario.name(),
        figures.cpu_us,
        figures.wall_us,
        figures.per_second,
        optional(figures.mean_batch),
        optional(figures.calls_per_message),
        optional(figures.mean_rows),
    )
}

fn row(scenario: Scenario, figures: &Figures) -> Value {
    json!({
        "scenario": scenario.name(),
        "cpu_us": figures.cpu_us,
        "wall_us": figures.wall_us,
        "per_second": figures.per_second,
        "mean_batch": figures.mean_batch,
        "calls_per_message": figures.calls_per_message,
        "rows_per_transaction": figures.mean_rows,
    })
}

/// The share of the store's own batched rate that the sqlite rule reaches.
const SHARE_OF_STORE: f64 = 0.70;

fn targets(options: &HooksOptions, medians: &[(Scenario, Figures)]) -> Result<Vec<Target>> {
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
        let none = find(Subject::NoRule, qos, true);
        if let Some((none, noop)) = none.zip(find(Subject::NoOp, qos, true)) {
            let added = noop.cpu_us - none.cpu_us;
            at_most(
                named("CPU that the no-op rule adds, saturated"),
                added,
                1.0,
                " us",
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
