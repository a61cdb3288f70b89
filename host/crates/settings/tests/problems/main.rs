//! Wrong configurations, and every word of what is said about each.

mod blocks;
mod reading;
mod references;
mod syntax;
mod values;

use hookwire_settings::Settings;

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
