//! What fixtures say when they are wrong, and when what they expect is not
//! found.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use hookwire_harness::{Fixture, Harness, bench, fixture_text, setup_text, unmet};

/// A component that `cargo xtask rules` built.
fn component(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR")
        .map_or_else(|| workspace.join("target/modules"), PathBuf::from);
    let path = folder.join(name).with_extension("wasm");
    assert!(
        path.is_file(),
        "no component at {}; run: cargo xtask rules",
        path.display()
    );
    path
}

/// The stock module, compiled once; one run at a time has its clock.
static HARNESS: LazyLock<Mutex<Harness>> =
    LazyLock::new(|| Mutex::new(Harness::open(&component("sqlite")).expect("the harness starts")));

/// What is wrong with a fixture, a line each.
fn problems(text: &str) -> Vec<String> {
    let problems = Fixture::parse("f.hcl", text).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

/// What the stock module `sqlite` leaves unmet of a fixture, a line each.
fn run(text: &str) -> Vec<String> {
    let harness = HARNESS.lock().expect("no test panics with it");
    let found = Fixture::parse("f.hcl", text).and_then(|fixture| {
        let trace = harness.run(&fixture)?;
        Ok(unmet(&fixture, &trace))
    });
    let problems = found.unwrap_or_else(|problems| problems);
    problems.iter().map(ToString::to_string).collect()
}

const RULES: &str = r#"pool "sqlite" "main" {}
module "sqlite" {}
rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  pool   = "main"
}
rule "online" {
  hook   = "client.connected"
  module = "sqlite"
  action = "on_client_connected"
  pool   = "main"
}
"#;
/// Line of the first event behind [`RULES`].
const FIRST: usize = 15;

fn check(text: &str, expected: &[&str]) {
    let found = run(&format!("{RULES}{text}"));
    assert_eq!(found, expected);
}

#[test]
fn every_mistake_has_its_line_and_the_nearest_name() {
    let found = problems(
        r#"
stats_at = 3
pool "sqlite" "main" {
  file = "a.db"
}
module "m" {}
rule "r" {
  hook   = "message.publish"
  module = "n"
  action = "a"
}
event "message.publsh" {}
event "message.publish" {
  tpic = "a"
}
event "client.connected" {
  reason = "bored"
  expect {
    verdict = "deny"
  }
}
fault "mian" {
  kind = "timout"
}
clock {
  advance = "soon"
}
expect {
  store "other" {}
  rows = [[1]]
}
batch {}
"#,
    );
    let expected = [
        "f.hcl:2: no key is called \"stats_at\"; did you mean \"starts_at\"?",
        "f.hcl:4: pool \"main\": no key is called \"file\"; there is setup, setup_file, \
         max_result_bytes",
        "f.hcl:9: rule \"r\": module: no module is called \"n\"; did you mean \"m\"?",
        "f.hcl:12: event: no hook is called \"message.publsh\"; did you mean \"message.publish\"?",
        "f.hcl:13: event \"message.publish\": the key \"topic\" is missing",
        "f.hcl:14: event \"message.publish\": no key is called \"tpic\"; did you mean \"topic\"?",
    ];
    for line in expected {
        assert!(
            found.iter().any(|found| found == line),
            "{line}\n{found:#?}"
        );
    }
    let begins = [
        "f.hcl:17: event \"client.connected\": reason: \"bored\" is no reason that events give",
        "f.hcl:19: expect: verdict: client.connected does not end in \"deny\"",
        "f.hcl:22: fault: no pool and no call of the host is called \"mian\"; did you mean \"main\"?",
        "f.hcl:23: fault \"mian\": kind: \"timout\" is not one of its words; did you mean",
        "f.hcl:26: clock: advance: \"soon\" is not a time",
        "f.hcl:29: store: no pool is called \"other\"",
        "f.hcl:30: expect: no key is called \"rows\"",
        "f.hcl:32: batch: there is no event in it",
    ];
    for start in begins {
        assert!(
            found.iter().any(|found| found.starts_with(start)),
            "{start}\n{found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len() + begins.len(), "{found:#?}");
}

#[test]
fn a_fixture_has_a_module_and_an_event() {
    let found = problems("");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("there is no module"), "{found:?}");
    assert!(found[1].contains("there is no event"), "{found:?}");
    let found = problems("module \"m\" {");
    assert_eq!(found.len(), 1, "what cannot be parsed is told: {found:?}");
}

#[test]
fn verdicts_are_compared() {
    check("event \"message.publish\" {\n  topic = \"a\"\n}\n", &[]);
    check(
        "event \"message.publish\" {\n  topic = \"a\"\n  expect {\n    verdict = \"deny\"\n  }\n}\n",
        &[&format!(
            "f.hcl:{}: message.publish: expected the verdict deny, found proceed",
            FIRST + 3
        )],
    );
    check(
        "fault \"main\" {\n  kind = \"refused\"\n}\nevent \"message.publish\" {\n  topic = \"a\"\n}\n",
        &[&format!(
            "f.hcl:{}: message.publish: expected the verdict proceed, found failed 0x80 \
             \"rule store: its store refused the data (test:fault)\"",
            FIRST + 3
        )],
    );
}

#[test]
fn a_failure_that_nobody_waits_for_is_seen() {
    let fault = "fault \"main\" {\n  kind = \"refused\"\n}\n";
    check(
        &format!("{fault}event \"client.connected\" {{}}\n"),
        &[&format!(
            "f.hcl:{}: client.connected: expected the verdict proceed, found failed",
            FIRST + 3
        )],
    );
    let batch = "batch {\n  event \"client.connected\" {}\n  event \"client.connected\" {}\n}\n";
    check(
        &format!("{fault}{batch}"),
        &[&format!(
            "f.hcl:{}: batch: expected 0 events to fail, found 2",
            FIRST + 4
        )],
    );
}

#[test]
fn an_event_that_no_rule_sees_proves_nothing() {
    let found = run(&format!(
        "{RULES}event \"message.publish\" {{\n  topic = \"a\"\n  qos = 0\n}}\n"
    ));
    assert_eq!(
        found,
        ["f.hcl:1: no event reached a rule: look at hooks, topics and interests"]
    );
}

#[test]
fn store_calls_and_rows_are_compared() {
    let event = "event \"message.publish\" {\n  topic = \"a\"\n  payload = \"1\"\n}\n";
    check(
        &format!("{event}expect {{\n  store_calls = 0\n}}\n"),
        &[&format!(
            "f.hcl:{}: store: expected 0 calls, found 1; the first more is \"INSERT INTO mqtt_msg \
             (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES (?, ?, ?, ?, ?, ?, \
             ?, ?)\"",
            FIRST + 4
        )],
    );
    check(
        &format!(
            "{event}expect {{\n  query \"main\" {{\n    statement = \"SELECT topic, payload, \
             qos, NULL FROM mqtt_msg\"\n    rows = [[\"a\", \"2\", 1, null]]\n  }}\n}}\n"
        ),
        &[&format!(
            "f.hcl:{}: query: expected [[\"a\", \"2\", 1, null]], found [[\"a\", \"1\", 1, null]]",
            FIRST + 5
        )],
    );
    check(
        &format!(
            "{event}expect {{\n  log = [\"hello\"]\n  metrics = {{ seen_total = 1 }}\n  kept = {{ a \
             = \"1\" }}\n  dead_letters = 1\n}}\n"
        ),
        &[
            &format!(
                "f.hcl:{}: log: expected a line with \"hello\", found nothing",
                FIRST + 5
            ),
            &format!(
                "f.hcl:{}: metrics: seen_total: expected 1, found none",
                FIRST + 6
            ),
            &format!(
                "f.hcl:{}: kept: \"a\": expected \"1\", found nothing",
                FIRST + 7
            ),
            &format!("f.hcl:{}: dead_letters: expected 1, found 0", FIRST + 8),
        ],
    );
}

#[test]
fn what_keeps_a_fixture_from_running_is_told_at_its_line() {
    let rules = RULES.replace("on_message_publish", "on_mesage_publish");
    let found = run(&format!("{rules}event \"client.connected\" {{}}\n"));
    assert_eq!(
        found,
        [
            "f.hcl:6: rule \"store\": action: module \"sqlite\" has no action \"on_mesage_publish\"; \
          did you mean \"on_message_publish\"?"
        ]
    );
    let pool = "pool \"sqlite\" \"main\" {\n  setup = \"CREATE TABLE\"\n}\n";
    let rules = RULES.replace("pool \"sqlite\" \"main\" {}\n", pool);
    let found = run(&format!("{rules}event \"client.connected\" {{}}\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("f.hcl:2: pool \"main\": setup: "),
        "{found:?}"
    );
}

#[test]
fn a_store_that_comes_back_is_tried_again() {
    check(
        "fault \"main\" {\n  kind = \"unavailable\"\n  calls = 2\n}\n\
         event \"message.publish\" {\n  topic = \"a\"\n}\n\
         expect {\n  store \"main\" {}\n  store \"main\" {}\n  store \"main\" {}\n}\n",
        &[],
    );
}

#[test]
fn a_bench_counts_calls() {
    let harness = HARNESS.lock().expect("no test panics with it");
    let text = format!("{RULES}event \"message.publish\" {{\n  topic = \"a\"\n}}\n");
    let fixture = Fixture::parse("f.hcl", &text).expect("it is sound");
    let costs = bench(&harness, &fixture, 512).expect("it runs");
    let counted: Vec<_> = costs
        .iter()
        .map(|cost| (cost.size, cost.events, cost.handle_calls, cost.store_calls))
        .collect();
    let expected = [
        (1, 512, 512, 512),
        (8, 512, 64, 64),
        (64, 512, 8, 8),
        (256, 512, 2, 2),
    ];
    assert_eq!(counted, expected);
    assert!(costs.iter().all(|cost| cost.ns_per_event() > 0));
}

#[test]
fn every_kind_of_hook_can_be_tested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks.hcl");
    let harness = Harness::open(&component("testguest")).expect("the harness starts");
    let report = harness.test(&path);
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
    let limits = report.limits.expect("it ran");
    assert!(limits.events > 20 && limits.memory_bytes > 0, "{limits}");
    assert_eq!(limits.max_batch, 3);
}

#[test]
fn a_recorded_fixture_begins_with_the_rules_of_another() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks.hcl");
    let rules = setup_text(&path).expect("it is HCL");
    let text = fixture_text(&rules, &[], 3);
    assert!(
        text.contains("rule \"subscribed\" {") && text.contains("SQL"),
        "{text}"
    );
    assert!(!text.contains("event \""), "{text}");
    assert!(text.contains("# 3 events are missing"), "{text}");
}

#[test]
fn the_example_in_the_readme_is_a_fixture() {
    let readme = include_str!("../README.md");
    let example = readme.split("```hcl\n").nth(1).expect("there is one");
    let example = example.split("```").next().unwrap_or_default();
    assert_eq!(problems(example), [""; 0]);
}
