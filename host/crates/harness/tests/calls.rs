//! Calls of the host in fixtures: requests that nobody but the fixture answers,
//! and calls that fail.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use hookwire_harness::{Fixture, Harness, bench, setup_text, unmet};

/// The component that `cargo xtask rules` built.
fn component() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR")
        .map_or_else(|| workspace.join("target/modules"), PathBuf::from);
    let path = folder.join("calling.wasm");
    assert!(
        path.is_file(),
        "no component at {}; run: cargo xtask rules",
        path.display()
    );
    path
}

static HARNESS: LazyLock<Mutex<Harness>> =
    LazyLock::new(|| Mutex::new(Harness::open(&component()).expect("the harness starts")));

/// What a fixture leaves unmet, or what is wrong with it, a line each.
fn run(text: &str) -> Vec<String> {
    let harness = HARNESS.lock().unwrap_or_else(PoisonError::into_inner);
    let found = Fixture::parse("f.hcl", text).and_then(|fixture| {
        let trace = harness.run(&fixture)?;
        Ok(unmet(&fixture, &trace))
    });
    let problems = found.unwrap_or_else(|problems| problems);
    problems.iter().map(ToString::to_string).collect()
}

const RULES: &str = r#"module "m" {
  grants     = ["http", "key-value", "broker.publish"]
  http_hosts = ["a.example", "localhost:8080"]
}
rule "fetch" {
  hook      = "message.publish"
  module    = "m"
  action    = "fetch"
  retry_for = "0s"
  options { url = "http://a.example/x" }
}
"#;
/// Line of what follows [`RULES`].
const NEXT: usize = 12;
const EVENT: &str = "event \"message.publish\" {\n  topic = \"t\"\n  payload = \"p\"\n}\n";

fn check(text: &str, expected: &[(usize, &str)]) {
    let found = run(&format!("{RULES}{text}"));
    let expected: Vec<String> = expected
        .iter()
        .map(|(line, text)| format!("f.hcl:{}: {text}", NEXT + line))
        .collect();
    assert_eq!(found, expected);
}

/// With the verdict that a request to nobody, or one that fails, ends in.
fn failing() -> String {
    EVENT.replace("}\n", "  expect {\n    verdict = \"failed\"\n  }\n}\n")
}

#[test]
fn servers_answer_and_calls_fail() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calling.hcl");
    let harness = HARNESS.lock().unwrap_or_else(PoisonError::into_inner);
    let report = harness.test(&path);
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
}

#[test]
fn a_request_that_nobody_answers_is_told() {
    check(
        &failing(),
        &[(
            0,
            "http: nothing answers POST http://a.example/x \"p\"; \
             write http \"POST\" \"http://a.example/x\" { ... } before it",
        )],
    );
    check(
        &format!("http \"POST\" \"http://a.example/y\" {{}}\n{}", failing()),
        &[(
            1,
            "http: nothing answers POST http://a.example/x \"p\"; \
             did you mean \"POST http://a.example/y\"?",
        )],
    );
    let other = "http \"POST\" \"http://a.example/x\" {\n  request = \"q\"\n}\n";
    check(
        &format!("{other}{}", failing()),
        &[(
            3,
            "http: nothing answers POST http://a.example/x \"p\"; \
             its http blocks are for other bodies, or have made all their calls",
        )],
    );
    let once = "http \"POST\" \"http://a.example/x\" {\n  calls = 1\n}\n";
    let answered = EVENT.replace("}\n", "  expect {\n    verdict = \"replace\"\n  }\n}\n");
    let found = run(&format!("{RULES}{once}{answered}{}", failing()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("or have made all their calls"),
        "{found:?}"
    );
}

#[test]
fn a_host_that_is_not_named_is_refused_in_a_fixture_too() {
    let rules = RULES.replace("http://a.example/x", "http://b.example/x");
    let answer = "http \"POST\" \"http://b.example/x\" {}\n";
    let found = run(&format!(
        "{rules}{answer}{}expect {{\n  http_calls = 0\n}}\n",
        failing()
    ));
    assert_eq!(found, [""; 0]);
}

#[test]
fn requests_are_compared_in_order() {
    let answer = "http \"POST\" \"http://a.example/x\" {\n  body = \"p\"\n}\n";
    let event = EVENT.replace("}\n", "  expect {\n    verdict = \"replace\"\n  }\n}\n");
    let expect = |lines: &str| format!("{answer}{event}expect {{\n{lines}}}\n");
    check(
        &expect("  http_calls = 0\n"),
        &[(
            10,
            "http: expected 0 requests, found 1; the first more is POST http://a.example/x \"p\"",
        )],
    );
    check(
        &expect("  http \"PUT\" \"http://a.example/x\" {\n    body = \"r\"\n  }\n"),
        &[(
            11,
            "http: expected PUT http://a.example/x \"r\", found POST http://a.example/x \"p\"",
        )],
    );
    let header =
        "  http \"POST\" \"http://a.example/x\" {\n    headers = { x-topic = \"u\" }\n  }\n";
    check(
        &expect(header),
        &[(
            11,
            "http: expected the header x-topic: u, found [(\"x-topic\", \"t\")]",
        )],
    );
    let twice = "  http \"POST\" \"http://a.example/x\" {}\n".repeat(2);
    check(
        &expect(&twice),
        &[(10, "http: expected 2 requests, found 1")],
    );
}

#[test]
fn mistakes_have_their_line_and_the_nearest_name() {
    let text = "http \"http://a.example\" {}\n\
                http \"GET\" \"http://a.example\" {\n  fault = \"timout\"\n  status = 99\n}\n\
                http \"GET\" \"http://a.example\" {\n  fault = \"denied\"\n  status = 200\n}\n\
                http \"GET\" \"http://a.example\" {\n  code = \"x\"\n  stats = 200\n}\n\
                fault \"broker.publsh\" {\n  kind = \"denied\"\n}\n\
                fault \"http\" {\n  kind = \"denied\"\n  rows = [1]\n}\n";
    let block = "http \"GET\" \"http://a.example\"";
    let found = run(&format!("{RULES}{text}{EVENT}"));
    let expected = [
        (
            0,
            "http needs a method and a URL: http \"GET\" \"https://...\" { ... }".to_owned(),
        ),
        (
            2,
            format!(
                "{block}: fault: \"timout\" is not one of its words; did you mean \"timeout\"?"
            ),
        ),
        (
            7,
            format!("{block}: status: there is a fault in place of an answer"),
        ),
        (
            10,
            format!("{block}: code: goes with a fault, and there is none"),
        ),
        (
            11,
            format!("{block}: no key is called \"stats\"; did you mean \"status\"?"),
        ),
        (
            13,
            "fault: no pool and no call of the host is called \"broker.publsh\"; \
             did you mean \"broker.publish\"?"
                .to_owned(),
        ),
        (
            18,
            "fault \"http\": rows: only calls of a pool have them".to_owned(),
        ),
    ];
    for (line, text) in &expected {
        let line = format!("f.hcl:{}: {text}", NEXT + line);
        assert!(found.contains(&line), "{line}\n{found:#?}");
    }
    let status = format!("f.hcl:{}: {block}: status: ", NEXT + 3);
    assert!(
        found.iter().any(|line| line.starts_with(&status)),
        "{found:#?}"
    );
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
}

#[test]
fn a_bench_and_a_recording_keep_the_servers() {
    let harness = HARNESS.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = "http \"POST\" \"http://a.example/x\" {\n  body = \"p\"\n}\n";
    let text = format!("{RULES}{answer}{EVENT}");
    let fixture = Fixture::parse("f.hcl", &text).expect("it is sound");
    let costs = bench(&harness, &fixture, 256).expect("it runs");
    assert!(costs.iter().all(|cost| cost.host_calls == 256), "{costs:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calling.hcl");
    let kept = setup_text(&path).expect("it is HCL");
    assert_eq!(kept.matches("http \"POST\"").count(), 4, "{kept}");
}
