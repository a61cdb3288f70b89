//! Fixtures that come with a component.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hookwire_harness::{BundledFixture, Harness, stands_alone};

/// The component that `cargo xtask rules` built.
fn component() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR")
        .map_or_else(|| workspace.join("target/modules"), PathBuf::from);
    let path = folder.join("sqlite.wasm");
    assert!(
        path.is_file(),
        "no component at {}; run: cargo xtask rules",
        path.display()
    );
    path
}

static COMPONENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(component()).expect("it can be read"));

/// What a fixture with this set-up of its pool leaves unmet, a line each.
fn run(pool: &str) -> Vec<String> {
    let rest = r#"module "sqlite" {}
rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  pool   = "main"
}
event "message.publish" {
  topic   = "a"
  payload = "1"
}
expect {
  query "main" {
    statement = "SELECT what FROM seen"
    rows      = [["begin"], ["a;b"], ["trigger"]]
  }
}
"#;
    let harness = Harness::new(COMPONENT.clone()).expect("the harness starts");
    let report = harness.test_bundled(&BundledFixture {
        name: "tests/f.hcl".to_owned(),
        text: format!("pool \"sqlite\" \"main\" {{\n{pool}\n}}\n{rest}"),
    });
    let problems = report.problems.iter();
    problems.map(ToString::to_string).collect()
}

#[test]
fn a_set_up_may_make_tables_and_fill_them() {
    let found = run(r#"  setup = <<-SQL
    -- What was seen.
    CREATE TABLE seen (what TEXT);
    INSERT INTO seen VALUES ('begin'), ('a;b');
    CREATE TRIGGER told AFTER INSERT ON mqtt_msg BEGIN
      INSERT INTO seen VALUES ('trigger');
    END;
  SQL"#);
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_set_up_may_do_nothing_else() {
    let refused = [
        "PRAGMA user_version = 3",
        "VACUUM INTO 'elsewhere.db'",
        "CREATE TABLE seen (what TEXT); ATTACH 'elsewhere.db' AS e",
        "COMMIT",
    ];
    for setup in refused {
        let found = run(&format!("  setup = \"{setup}\""));
        assert_eq!(found.len(), 1, "{setup}: {found:?}");
        let begins = "tests/f.hcl:2: pool \"main\": setup: this call runs INSERT, ";
        assert!(found[0].starts_with(begins), "{setup}: {found:?}");
    }
}

#[test]
fn a_set_up_that_never_ends_is_ended() {
    let found = run(
        "  setup = \"CREATE TABLE seen AS WITH RECURSIVE n (i) AS (SELECT 1 UNION \
                     SELECT i % 7 + 1 FROM n, mqtt_msg UNION ALL SELECT 1 FROM n) SELECT i AS \
                     what FROM n WHERE i < 0\"",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("tests/f.hcl:2: pool \"main\": setup: "),
        "{found:?}"
    );
}

#[test]
fn other_files_are_not_read() {
    let found = run("  setup_file = \"/etc/hostname\"");
    assert_eq!(
        found,
        ["tests/f.hcl:1: /etc/hostname: a fixture that comes with its component reads no files"]
    );
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks.hcl");
    assert_eq!(stands_alone(&hooks).ok(), Some(true));
}
