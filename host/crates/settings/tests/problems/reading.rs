//! What is read, whatever is wrong.

use hookwire_settings::Settings;
use proptest::prelude::*;

use crate::VALID;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_panics(
        from in any::<prop::sample::Index>(),
        length in 0..40_usize,
        instead in "[a-z0-9=\"{}\\[\\]$%<#~ .\n-]{0,6}|\\PC{0,3}",
    ) {
        let text = include_str!("../../../../../etc/examples/custom-module.hcl");
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
