//! The files of `etc/`: they parse, and say all there is to say.

use std::path::{Path, PathBuf};

use hookwire_settings::{OnError, Settings};

fn etc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../etc")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(etc().join(name)).expect("readable")
}

/// Every key by its block; the optional ones have a default.
const REQUIRED: &[&str] = &["address", "file", "hook", "module", "action", "pool"];

/// The keys of every block, from the hints on a key that cannot be meant.
fn keys() -> Vec<String> {
    let text = r"
zzzzzzzzzzzz = 1
listener tcp l {
  zzzzzzzzzzzz = 1
}
mqtt {
  zzzzzzzzzzzz = 1
}
pool sqlite p {
  zzzzzzzzzzzz = 1
  retention {
    zzzzzzzzzzzz = 1
  }
}
module m {
  zzzzzzzzzzzz = 1
}
rule r {
  zzzzzzzzzzzz = 1
}
";
    let problems = Settings::parse("x.hcl", text).expect_err("unknown keys");
    let keys: Vec<String> = problems
        .iter()
        .filter_map(|problem| problem.message.split_once("\"; there is "))
        .flat_map(|(_, keys)| keys.split(", "))
        .map(str::to_owned)
        .collect();
    assert!(keys.len() > 25, "{keys:?}");
    keys
}

#[test]
fn every_file_parses() {
    let mut folders = vec![etc()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "hcl") {
                files += 1;
                if let Err(problems) = Settings::load(&path) {
                    panic!("{problems:#?}");
                }
            }
        }
    }
    assert!(files >= 2, "{files} files");
}

#[test]
fn the_default_file_is_what_a_broker_without_a_file_runs_on() {
    let embedded = Settings::embedded();
    let file = Settings::parse("etc/hookwire.hcl", &read("hookwire.hcl")).expect("no problem");
    assert_eq!(embedded, file);
    assert_eq!(embedded.listeners[0].address.to_string(), "127.0.0.1:1883");
    let actions: Vec<&str> = embedded
        .rules
        .iter()
        .map(|rule| rule.action.value.as_str())
        .collect();
    assert_eq!(
        actions,
        [
            "on_client_connected",
            "on_client_disconnected",
            "on_node_started",
            "on_session_restore",
            "on_session_store",
            "on_session_store",
            "on_session_store",
            "on_session_store",
            "on_session_store",
            "on_subscription_store",
            "on_subscription_delete",
            "on_session_exchange",
            "on_message_publish",
            "on_message_retain",
            "on_retain_delete",
            "on_retain_lookup",
            "on_message_fetch",
            "on_message_acked",
            "on_acked_delete",
        ]
    );
    assert!(
        embedded
            .rules
            .iter()
            .all(|rule| rule.on_error != Some(OnError::Continue))
    );
}

#[test]
fn the_default_file_holds_the_defaults() {
    let text = read("hookwire.hcl");
    let optional = |line: &&str| match line.split_once('=') {
        Some((key, _)) => !REQUIRED.contains(&key.trim()),
        None => false,
    };
    let mut removed = 0;
    // Empty lines take their place, so that what is left stands where it stood.
    let bare: String = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with('#') {
                return "\n".to_owned();
            }
            if optional(&line) {
                removed += 1;
                return "\n".to_owned();
            }
            format!("{line}\n")
        })
        .collect();
    assert!(removed > 15, "{removed} keys");

    let mut full = Settings::parse("x.hcl", &text).expect("no problem");
    let mut bare = Settings::parse("x.hcl", &bare).expect("no problem");
    for rule in full.rules.iter_mut().chain(&mut bare.rules) {
        // A topic that is left out stands where its rule does.
        rule.topic.at = rule.name.at.clone();
    }
    assert_eq!(full, bare);
}

#[test]
fn the_default_file_and_the_guide_name_every_key() {
    let (file, guide) = (read("hookwire.hcl"), read("README.md"));
    for key in keys() {
        let in_file = file.lines().any(|line| {
            let line = line.trim_start().trim_start_matches("# ");
            line.split_once('=')
                .is_some_and(|(name, _)| name.trim() == key)
        });
        assert!(in_file, "{key} is not in hookwire.hcl");
        assert!(
            guide.contains(&format!("| `{key}` |")),
            "{key} is not in README.md"
        );
    }
}
