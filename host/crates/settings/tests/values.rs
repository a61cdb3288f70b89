//! Right configurations, and what is read from them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hookwire_settings::{OnError, OptionValue, PoolKind, Retention, Settings};

const EVERYTHING: &str = r#"
node    = "a@10.0.0.1"
workers = 3
max_spool_bytes = "64KiB"
max_dead_letters = 5
max_component_bytes = "2MiB"
listener "tcp" "open" {
  address         = "[::1]:0"
  connect_timeout = "500ms"
  max_greeting    = 7
  allow_unknown_clients = false
  allow_unlisted_access = false
}
listener tcp inner {
  address = "127.0.0.1:1883"
}
mqtt {
  max_packet_bytes    = 65536
  receive_maximum     = 1
  max_inflight        = 2
  max_queued_messages = 3
  max_output_bytes    = "64KiB"
  max_keep_alive_s    = 600
}
pool "sqlite" "main" {
  file                 = "a/b.db"
  max_waiting_rows     = 10
  max_transaction_rows = 11
  readers              = 12
  max_result_bytes     = "1GiB"
  max_statement        = "250ms"
  retention {
    max_age    = "2d"
    max_bytes  = "2GiB"
    slice_rows = 13
  }
}
module "audit" {
  path              = "audit.wasm"
  grants            = ["clock"]
  lanes             = 4
  max_batch         = 5
  max_queued_events = 6
  deadline          = "2m"
  max_memory_bytes  = "8MiB"
}
rule "first" {
  hook     = "message.publish"
  module   = "audit"
  action   = "note"
  topic    = "a/+/b"
  pool     = "main"
  on_error = "continue"
  options {
    plain    = "a \"b\" \u00e9\n"
    template = "insert ${clientid} and ${ payload.x }: $${x} %%{y}"
    whole    = 5
    negative = -6
    real     = -0.5
    flag     = true
    list     = ["a", 1, [false]]
    lines    = <<-SQL
      select ${qos}
        from t
      SQL
  }
}
rule "second" {
  hook   = "message.acked"
  module = "audit"
  action = "note"
}
"#;

fn everything() -> Settings {
    Settings::parse("x.hcl", EVERYTHING).expect("no problem")
}

#[test]
fn every_key_is_read() {
    let settings = everything();
    assert_eq!(settings.node, "a@10.0.0.1");
    assert_eq!(settings.workers, Some(3));
    assert_eq!(settings.max_spool_bytes, 64 * 1024);
    assert_eq!(settings.max_dead_letters, 5);
    assert_eq!(settings.max_component_bytes, 2 * 1024 * 1024);

    let [open, inner] = settings.listeners.as_slice() else {
        panic!("not two listeners");
    };
    assert_eq!(open.name, "open");
    assert_eq!(open.address.to_string(), "[::1]:0");
    assert_eq!(open.connect_timeout, Duration::from_millis(500));
    assert_eq!(open.max_greeting, 7);
    assert!(!open.allow_unknown_clients && !open.allow_unlisted_access);
    assert!(inner.allow_unknown_clients && inner.allow_unlisted_access);
    assert_eq!(inner.name, "inner");

    let mqtt = &settings.mqtt;
    assert_eq!(mqtt.max_packet_bytes, 65_536);
    assert_eq!((mqtt.receive_maximum, mqtt.max_inflight), (1, 2));
    assert_eq!(mqtt.max_queued_messages, 3);
    assert_eq!(mqtt.max_output_bytes, 65_536);
    assert_eq!(mqtt.max_keep_alive_s, 600);

    let PoolKind::Sqlite(sqlite) = &settings.pools[0].kind;
    assert_eq!(settings.pools[0].name.value, "main");
    assert_eq!(sqlite.file, PathBuf::from("a/b.db"));
    assert_eq!(sqlite.max_waiting_rows, 10);
    assert_eq!((sqlite.max_transaction_rows, sqlite.readers), (11, 12));
    assert_eq!(sqlite.max_result_bytes, 1024 * 1024 * 1024);
    assert_eq!(sqlite.max_statement, Duration::from_millis(250));
    let retention = Retention {
        max_age: Some(Duration::from_secs(2 * 24 * 60 * 60)),
        max_bytes: Some(2 << 30),
        slice_rows: 13,
    };
    assert_eq!(sqlite.retention, retention);

    let module = &settings.modules[0];
    assert_eq!(module.path, Some(PathBuf::from("audit.wasm")));
    assert_eq!(module.grants[0].value, "clock");
    assert_eq!((module.lanes, module.max_batch), (4, 5));
    assert_eq!(module.max_queued_events, 6);
    assert_eq!(module.deadline, Duration::from_secs(120));
    assert_eq!(module.max_memory_bytes, 8 * 1024 * 1024);

    let rule = &settings.rules[0];
    assert_eq!(rule.hook.value, "message.publish");
    assert_eq!(rule.topic.value, "a/+/b");
    assert_eq!(
        rule.pool.as_ref().map(|pool| pool.value.as_str()),
        Some("main")
    );
    assert_eq!(rule.on_error, Some(OnError::Continue));
}

#[test]
fn what_is_left_out_of_a_rule_has_its_default() {
    let settings = everything();
    let rule = &settings.rules[1];
    assert_eq!(rule.topic.value, "#");
    assert_eq!(rule.pool, None);
    assert_eq!(rule.on_error, None);
    assert!(rule.options.is_empty());
}

#[test]
fn values_remember_where_they_stand() {
    let settings = everything();
    let rule = &settings.rules[0];
    let line_of = |text: &str| {
        let before = EVERYTHING.split(text).next().expect("a part");
        before.matches('\n').count() + 1
    };
    assert_eq!(rule.name.at.line, line_of("rule \"first\""));
    assert_eq!(rule.topic.at.line, line_of("topic    ="));
    assert_eq!(rule.options[3].0.at.line, line_of("negative"));
    assert_eq!(
        rule.options[3].0.at.to_string(),
        format!("x.hcl:{}", line_of("negative"))
    );
    assert_eq!(settings.rules[1].topic.at.line, line_of("rule \"second\""));
}

#[test]
fn options_keep_their_types_and_their_templates() {
    let settings = everything();
    let found: Vec<(&str, &OptionValue)> = settings.rules[0]
        .options
        .iter()
        .map(|(name, value)| (name.value.as_str(), value))
        .collect();
    let text = |text: &str| OptionValue::String(text.to_owned());
    let expected = [
        ("plain", text("a \"b\" é\n")),
        (
            "template",
            text("insert ${clientid} and ${ payload.x }: ${x} %{y}"),
        ),
        ("whole", OptionValue::Integer(5)),
        ("negative", OptionValue::Integer(-6)),
        ("real", OptionValue::Number(-0.5)),
        ("flag", OptionValue::Boolean(true)),
        (
            "list",
            OptionValue::List(vec![
                text("a"),
                OptionValue::Integer(1),
                OptionValue::List(vec![OptionValue::Boolean(false)]),
            ]),
        ),
        ("lines", text("select ${qos}\n  from t\n")),
    ];
    assert_eq!(found.len(), expected.len());
    for ((name, value), (expected_name, expected_value)) in found.iter().zip(&expected) {
        assert_eq!((name, *value), (expected_name, expected_value));
    }
}

#[test]
fn a_store_keeps_a_week_and_8_gib_unless_its_block_says_otherwise() {
    let check = |block: &str, shown: &str| {
        let text = format!(
            "listener tcp l {{\n  address = \"127.0.0.1:0\"\n}}\n\
             pool sqlite p {{\n  file = \"a.db\"\n{block}\n}}\n"
        );
        let settings = Settings::parse("x.hcl", &text).expect("no problem");
        let PoolKind::Sqlite(sqlite) = &settings.pools[0].kind;
        assert_eq!(sqlite.retention.to_string(), shown);
    };
    check("", "messages for 7d, up to 8GiB");
    check("retention {\n}", "messages for 7d, up to 8GiB");
    check(
        "retention {\n  max_age = \"90s\"\n  max_bytes = 5000000\n}",
        "messages for 90s, up to 5000000",
    );
    check(
        "retention {\n  max_age = 0\n}",
        "messages for ever, up to 8GiB",
    );
    check(
        "retention {\n  max_age = 0\n  max_bytes = 0\n}",
        "messages for ever, of any size",
    );
}

#[test]
fn modules_are_below_the_folder_of_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.hcl");
    let text = r#"
listener "tcp" "default" {
  address = "127.0.0.1:0"
}
module "near" {
  path = "modules/near.wasm"
}
module "far" {
  path = "/far.wasm"
}
module "stock" {
}
"#;
    std::fs::write(&file, text).expect("written");
    let settings = Settings::load(&file).expect("no problem");
    let paths: Vec<Option<&Path>> = settings.modules.iter().map(|m| m.path.as_deref()).collect();
    let near = folder.path().join("modules/near.wasm");
    assert_eq!(
        paths,
        [Some(near.as_path()), Some(Path::new("/far.wasm")), None]
    );
}

#[test]
fn editors_of_all_systems_are_understood() {
    let text = EVERYTHING.replace('\n', "\r\n");
    let settings = Settings::parse("x.hcl", &format!("\u{FEFF}{text}")).expect("no problem");
    assert_eq!(settings.rules[0].name.at, everything().rules[0].name.at);
    assert_eq!(settings.listeners, everything().listeners);
}
