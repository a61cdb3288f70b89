//! Wrong configurations, and every word of what is said about each.

use hookwire_settings::Settings;
use proptest::prelude::*;

/// A file without mistakes, for `lines` to be appended to at line 5.
const VALID: &str = r#"listener "tcp" "default" {
  address = "127.0.0.1:1883"
}
"#;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let problems = Settings::parse("x.hcl", text).expect_err("something is wrong");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

/// Checks lines that follow on [`VALID`]; the first of them is line 5.
#[track_caller]
fn check_lines(lines: &str, expected: &[&str]) {
    check(&format!("{VALID}\n{lines}\n"), expected);
}

#[test]
fn what_is_no_hcl_is_refused_at_its_line() {
    check(
        "node = \"a\"\nworkers = = 2\n",
        &[
            "x.hcl:2: invalid expression; expected `\"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit",
        ],
    );
    check(
        "node = \"a\"\nnode = \"b\"\n",
        &["x.hcl:2: invalid attribute; expected unique attribute key; found redefined attribute"],
    );
    check_lines(
        "rule \"r\" {\n  options {\n    sql = \"like '%{x'\"\n  }\n}",
        &[
            "x.hcl:7: invalid block body; expected `}`, newline or identifier; a %{ in text is written %%{",
        ],
    );
}

#[test]
fn an_empty_file_lacks_a_listener() {
    let message = "there is no listener: write listener \"tcp\" \"default\" { ... }";
    check("", &[&format!("x.hcl:1: {message}")]);
}

#[test]
fn unknown_names_are_refused_with_what_was_meant() {
    check(
        r#"nodes = "a"
listner "tcp" "default" {
}
listener "tpc" "default" {
}
listener "tcp" "other" {
  adress = "127.0.0.1:1"
}
"#,
        &[
            "x.hcl:1: no key is called \"nodes\"; did you mean \"node\"?",
            "x.hcl:2: no block is called \"listner\"; did you mean \"listener\"?",
            "x.hcl:4: no listener is of the kind \"tpc\"; did you mean \"tcp\"?",
            "x.hcl:6: listener \"other\": the key \"address\" is missing",
            "x.hcl:7: listener \"other\": no key is called \"adress\"; did you mean \"address\"?",
        ],
    );
    check_lines(
        "include = \"more.hcl\"",
        &["x.hcl:5: no key is called \"include\"; there is node, workers"],
    );
}

#[test]
fn keys_and_blocks_are_not_mixed_up() {
    check_lines(
        r#"mqtt = { receive_maximum = 5 }
node {
}
rule "r" {
  options = { a = 1 }
}
"#,
        &[
            "x.hcl:5: mqtt is a block: write mqtt { ... }",
            "x.hcl:6: node is a key: write node = ...",
            "x.hcl:8: rule \"r\": the key \"hook\" is missing",
            "x.hcl:8: rule \"r\": the key \"module\" is missing",
            "x.hcl:8: rule \"r\": the key \"action\" is missing",
            "x.hcl:9: rule \"r\": options is a block: write options { ... }",
        ],
    );
    check_lines(
        "mqtt {\n  tls {\n  }\n}\n",
        &["x.hcl:6: mqtt: no block is called \"tls\"; there is none"],
    );
}

#[test]
fn blocks_need_their_labels() {
    check_lines(
        r#"listener "tcp" {
}
pool {
}
module {
}
rule "a" "b" {
}
mqtt "x" {
}
module "two words" {
}
module "" {
}
"#,
        &[
            "x.hcl:5: listener needs a kind and a name: listener \"tcp\" \"NAME\" { ... }",
            "x.hcl:7: pool needs a kind and a name: pool \"sqlite\" \"NAME\" { ... }",
            "x.hcl:9: module needs a name: module \"NAME\" { ... }",
            "x.hcl:11: rule needs a name: rule \"NAME\" { ... }",
            "x.hcl:13: mqtt has no name: write mqtt { ... }",
            "x.hcl:15: module \"two words\": a name is 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and .",
            "x.hcl:17: module \"\": a name is 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and .",
        ],
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_with_the_right_one() {
    check_lines(
        r#"node = 5
workers = "2"
mqtt {
  receive_maximum    = 1.5
  max_packet_bytes   = [1]
  max_inflight       = ten
  max_keep_alive_s   = null
}
pool "sqlite" "p" {
  file     = sqlite
  readers  = true
}
module "m" {
  grants   = "clock"
  deadline = 5
  path     = { a = 1 }
  lanes    = 1 + 1
}
"#,
        &[
            "x.hcl:5: node: expected text in quotes, found a number",
            "x.hcl:6: workers: expected a whole number, found text",
            "x.hcl:8: mqtt: receive_maximum: expected a whole number, found 1.5",
            "x.hcl:9: mqtt: max_packet_bytes: expected a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\", found a list",
            "x.hcl:10: mqtt: max_inflight: expected a whole number, found a word without quotes",
            "x.hcl:11: mqtt: max_keep_alive_s: expected a whole number, found null",
            "x.hcl:14: pool \"p\": file: expected text in quotes, found a word without quotes",
            "x.hcl:15: pool \"p\": readers: expected a whole number, found true or false",
            "x.hcl:18: module \"m\": grants: expected a list, such as [\"clock\"]",
            "x.hcl:19: module \"m\": deadline: expected a time such as \"500ms\", \"5s\", \"2m\" or \"1h\", found a number",
            "x.hcl:20: module \"m\": path: expected text in quotes, found an object",
            "x.hcl:21: module \"m\": lanes: expected a whole number, found an expression",
        ],
    );
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    check_lines(
        r#"workers = 0
node = "two words"
listener "tcp" "other" {
  address         = "localhost:1883"
  connect_timeout = "2h"
  max_greeting    = -1
}
mqtt {
  max_packet_bytes    = 10
  receive_maximum     = 65536
  max_inflight        = 0
  max_queued_messages = 99999999999999999999
  max_output_bytes    = "2GiB"
}
pool "sqlite" "p" {
  file                 = ""
  max_transaction_rows = 0
  max_result_bytes     = "1 MB"
}
module "m" {
  lanes            = 65
  max_batch        = 4097
  deadline         = "5 s"
  max_memory_bytes = -1
}
"#,
        &[
            "x.hcl:5: workers: 0 is out of range: 1 to 256",
            "x.hcl:6: node: is at most 128 printable ASCII characters, without spaces, /, + and #",
            "x.hcl:8: listener \"other\": address: \"localhost:1883\" is not an IP address and a port, such as \"127.0.0.1:1883\"",
            "x.hcl:9: listener \"other\": connect_timeout: \"2h\" is out of range: 1ms to 1h",
            "x.hcl:10: listener \"other\": max_greeting: -1 is out of range: 1 to 1000000",
            "x.hcl:13: mqtt: max_packet_bytes: 10 is out of range: 256 to 255MiB",
            "x.hcl:14: mqtt: receive_maximum: 65536 is out of range: 1 to 65535",
            "x.hcl:15: mqtt: max_inflight: 0 is out of range: 1 to 65535",
            "x.hcl:16: mqtt: max_queued_messages: expected a whole number, found 1e20",
            "x.hcl:17: mqtt: max_output_bytes: \"2GiB\" is out of range: 4KiB to 1GiB",
            "x.hcl:20: pool \"p\": file: is empty",
            "x.hcl:21: pool \"p\": max_transaction_rows: 0 is out of range: 1 to 65536",
            "x.hcl:22: pool \"p\": max_result_bytes: \"1 MB\" is not a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\"",
            "x.hcl:25: module \"m\": lanes: 65 is out of range: 1 to 64",
            "x.hcl:26: module \"m\": max_batch: 4097 is out of range: 1 to 4096",
            "x.hcl:27: module \"m\": deadline: \"5 s\" is not a time such as \"500ms\", \"5s\", \"2m\" or \"1h\"",
            "x.hcl:28: module \"m\": max_memory_bytes: -1 is out of range: 64KiB to 4GiB",
        ],
    );
}

#[test]
fn names_that_are_there_twice_are_refused_with_the_first_place() {
    check_lines(
        r#"listener "tcp" "default" {
  address = "127.0.0.1:0"
}
pool "sqlite" "p" {
  file = "a"
}
pool "sqlite" "p" {
  file = "b"
}
module "m" {
}
module "m" {
}
mqtt {
}
mqtt {
}
rule "r" {
  hook   = "client.connected"
  module = "m"
  action = "a"
}
rule "r" {
  hook   = "client.connected"
  module = "m"
  action = "b"
  options {
  }
  options {
  }
}
"#,
        &[
            "x.hcl:5: listener \"default\" is already there, at x.hcl:1",
            "x.hcl:11: pool \"p\" is already there, at x.hcl:8",
            "x.hcl:16: module \"m\" is already there, at x.hcl:14",
            "x.hcl:20: mqtt is there twice",
            "x.hcl:27: rule \"r\" is already there, at x.hcl:22",
            "x.hcl:33: rule \"r\": options is there twice",
        ],
    );
}

#[test]
fn rules_refer_to_what_is_there() {
    check_lines(
        r#"module "audit" {
  grants = ["clok"]
}
pool "sqlite" "main" {
  filename = "a.db"
}
rule "r" {
  hook     = "message.publsh"
  module   = "audti"
  action   = ""
  pool     = "man"
  on_error = "rety"
}
rule "s" {
  hook     = "client.connected"
  module   = "audit"
  action   = "a"
  pool     = "main"
  topic    = "a/#"
  on_error = "deny"
  options {
    nothing = null
    nested  = [1, [concat("a")]]
    inner {
    }
  }
}
"#,
        &[
            "x.hcl:6: module \"audit\": grants: nothing called \"clok\" can be granted; did you mean \"clock\"?",
            "x.hcl:8: pool \"main\": the key \"file\" is missing",
            "x.hcl:9: pool \"main\": no key is called \"filename\"; there is file, max_waiting_rows, max_transaction_rows, readers, max_result_bytes",
            "x.hcl:12: rule \"r\": hook: no hook is called \"message.publsh\"; did you mean \"message.publish\"?",
            "x.hcl:13: rule \"r\": module: no module is called \"audti\"; did you mean \"audit\"?",
            "x.hcl:14: rule \"r\": action: is empty",
            "x.hcl:15: rule \"r\": pool: no pool is called \"man\"; did you mean \"main\"?",
            "x.hcl:16: rule \"r\": on_error: \"rety\" is no way to go on; did you mean \"retry\"?",
            "x.hcl:23: rule \"s\": topic: client.connected has no topic",
            "x.hcl:24: rule \"s\": on_error: client.connected has happened when its rules run, and cannot be denied",
            "x.hcl:26: rule \"s\": options: nothing: expected text, a number, true, false, or a list of these, found null",
            "x.hcl:27: rule \"s\": options: nested: expected text, a number, true, false, or a list of these, found an expression",
            "x.hcl:28: rule \"s\": options: inner is no block: write inner = ...",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none.hcl");
    let problems = Settings::load(&path).expect_err("no such file");
    let expected = format!("{}:1: cannot be read: No such file", path.display());
    assert!(
        problems[0].to_string().starts_with(&expected),
        "{}",
        problems[0]
    );
    assert_eq!(problems.len(), 1);

    std::fs::write(&path, b"node = \"\xFF\"\n").expect("written");
    let problems = Settings::load(&path).expect_err("not UTF-8");
    let expected = format!("{}:1: cannot be read: ", path.display());
    assert!(
        problems[0].to_string().starts_with(&expected),
        "{}",
        problems[0]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_panics(
        from in any::<prop::sample::Index>(),
        length in 0..40_usize,
        instead in "[a-z0-9=\"{}\\[\\]$%<#~ .\n-]{0,6}|\\PC{0,3}",
    ) {
        let text = include_str!("../../../../etc/examples/custom-module.hcl");
        let (from, to) = {
            let from = text.floor_char_boundary(from.index(text.len()));
            (from, text.floor_char_boundary((from + length).min(text.len())))
        };
        let changed = format!("{}{instead}{}", &text[..from], &text[to..]);
        let lines = changed.split('\n').count();
        if let Err(problems) = Settings::parse("x.hcl", &changed) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.at.line)));
        }
    }
}

#[test]
fn two_writers_on_a_file_and_two_listeners_on_an_address_are_refused() {
    check_lines(
        r#"listener "tcp" "other" {
  address = "127.0.0.1:1883"
}
listener "tcp" "any" {
  address = "127.0.0.1:0"
}
listener "tcp" "any-too" {
  address = "127.0.0.1:0"
}
pool "sqlite" "p" {
  file = "a.db"
}
pool "sqlite" "q" {
  file = "./a.db"
}
pool "sqlite" "r" {
  file = "b.db"
}
"#,
        &[
            "x.hcl:5: listener \"other\": address: listener \"default\" has the same address, at x.hcl:1",
            "x.hcl:17: pool \"q\": file: pool \"p\" has the same file, at x.hcl:14",
        ],
    );
}

#[test]
fn what_can_be_read_is_kept_beside_the_problems() {
    let rule = |name: &str, module: &str, pool: &str, more: &str| {
        format!(
            "rule \"{name}\" {{\n hook = \"message.publish\"\n module = \"{module}\"\n \
             action = \"a\"\n pool = \"{pool}\"\n {more}\n}}\n"
        )
    };
    let text = [
        VALID,
        "pool \"sqlite\" \"p\" {\n  file = \"a.db\"\n  readers = 0\n}\n",
        "pool \"oracle\" \"lost\" {\n}\n",
        "module \"m\" {\n  deadline = \"soon\"\n}\n",
        "module \"bare\" {\n  grants = [\"clok\"]\n}\n",
        "module \"two words\" {\n}\n",
        &rule("kept", "m", "p", ""),
        &rule("without-pool", "m", "q", ""),
        &rule("without-module", "n", "p", ""),
        &rule("with-mistake", "m", "p", "options { a = null }"),
        &rule("of-left-out-pool", "m", "lost", ""),
        &rule("of-left-out-module", "bare", "p", ""),
        &rule("of-misnamed-module", "two words", "p", ""),
    ]
    .concat();
    let (settings, problems) = Settings::read_text("x.hcl", &text);
    let rules: Vec<_> = settings
        .rules
        .iter()
        .map(|r| r.name.value.as_str())
        .collect();
    assert_eq!(rules, ["kept", "without-pool", "without-module"]);
    let modules: Vec<_> = settings
        .modules
        .iter()
        .map(|m| m.name.value.as_str())
        .collect();
    assert_eq!(modules, ["m"]);
    assert_eq!(settings.modules[0].deadline.as_secs(), 5);
    let pools: Vec<_> = settings
        .pools
        .iter()
        .map(|p| p.name.value.as_str())
        .collect();
    assert_eq!(pools, ["p"]);
    let lines: Vec<usize> = problems.iter().map(|problem| problem.at.line).collect();
    assert_eq!(problems.len(), 8, "{problems:#?}");
    assert!(lines.is_sorted());

    let (settings, problems) = Settings::read_text("x.hcl", "node = = 1\n");
    assert_eq!(problems.len(), 1);
    assert!(settings.listeners.is_empty() && settings.rules.is_empty());
}
