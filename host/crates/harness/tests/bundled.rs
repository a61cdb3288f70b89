//! Fixtures that come with a component.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hookwire_harness::{BundledFixture, Harness, bundle};

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
        setup_files: BTreeMap::from([(
            "seen.sql".to_owned(),
            "CREATE TABLE seen (what TEXT); -- and nothing else".to_owned(),
        )]),
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
fn files_of_sql_come_along_and_others_are_not_read() {
    let setup = "INSERT INTO seen VALUES ('begin'), ('a;b'), ('trigger')";
    let found = run(&format!(
        "  setup_file = \"seen.sql\"\n  setup = \"{setup}\""
    ));
    assert_eq!(found, [""; 0]);
    let found = run("  setup_file = \"/etc/hostname\"");
    assert_eq!(
        found,
        [
            "tests/f.hcl:2: /etc/hostname did not come with the component, and its fixtures read no \
          other files"
        ]
    );
}

#[test]
fn a_fixture_is_bundled_with_its_files_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fixture = folder.path().join("a.hcl");
    let text = "pool \"sqlite\" \"p\" {\n  setup_file = \"p.sql\"\n}\nmodule \"m\" {}\n\
                event \"client.connected\" {}\n";
    std::fs::write(&fixture, text).expect("it can be written");
    let problems = bundle(&fixture, "tests/a.hcl").expect_err("p.sql is missing");
    assert!(
        problems[0].to_string().contains("p.sql cannot be read"),
        "{problems:?}"
    );
    assert_eq!(problems[0].at.line, 2);
    std::fs::write(folder.path().join("p.sql"), "SELECT 1").expect("it can be written");
    let bundled = bundle(&fixture, "tests/a.hcl").expect("it is sound");
    let bundled = bundled.expect("nothing is in the way");
    assert_eq!(
        (bundled.name.as_str(), bundled.text.as_str()),
        ("tests/a.hcl", text)
    );
    assert_eq!(bundled.setup_files["p.sql"], "SELECT 1");
    let other = text.replace("\"m\" {}", "\"m\" {\n  path = \"other.wasm\"\n}");
    std::fs::write(&fixture, other).expect("it can be written");
    assert_eq!(bundle(&fixture, "tests/a.hcl").expect("it is sound"), None);
}
