//! What is wrong with rules, and where.

use std::collections::HashMap;

use hookwire_rules::{Plan, WorkerRules};
use hookwire_settings::{Problem, Settings};

use crate::blocks::{Stores, pools, problems, rule, runtime, settings};

#[track_caller]
fn check(blocks: &str, expected: &[&str]) {
    assert_eq!(problems(&settings(blocks)), expected);
}

/// Ten lines of a sound module and its one sound rule.
const SOUND: &str = r#"module "m" {
  grants = ["clock", "broker.publish"]
}
rule "sound" {
  hook   = "message.publish"
  module = "m"
  action = "store"
  pool   = "memory"
  topic  = "a/#"
}
"#;

#[test]
fn sound_settings_have_no_problems() {
    check(SOUND, &[]);
}

#[test]
fn a_rule_is_held_against_its_action() {
    let rules = [
        rule("slip", "message.publish", "stor", ""),
        rule("unknown", "message.publish", "rocket_science", ""),
        rule("hook", "client.connected", "drop", ""),
    ];
    let actions = &crate::blocks::modules()["m"].manifest().actions;
    let names: Vec<&str> = actions.iter().map(|action| &*action.name).collect();
    assert!(names.len() > 20);
    let all = names.join(", ");
    check(
        &format!("{SOUND}{}", rules.concat()),
        &[
            "rules.hcl:14: rule \"slip\": action: module \"m\" has no action \"stor\"; did you \
             mean \"store\"?",
            &format!(
                "rules.hcl:20: rule \"unknown\": action: module \"m\" has no action \
                 \"rocket_science\"; there is {all}"
            ),
            "rules.hcl:24: rule \"hook\": hook: action \"drop\" is not for client.connected; it \
             is for message.publish",
        ],
    );
}

#[test]
fn options_are_held_against_what_the_action_declares() {
    let options = |lines: &str| format!("options {{\n{lines}\n  }}");
    let publish = |name: &str, lines: &str| rule(name, "message.publish", "options", lines);
    let rules = [
        publish("missing", ""),
        publish("kinds", &options("text = 3\ncount = 1.5\nevery = \"soon\"")),
        publish("unknown", &options("text = \"x\"\ncounts = 1")),
        publish("sound", &options("text = \"x\"\ncount = 1\nevery = \"2h\"")),
    ];
    check(
        &format!("{SOUND}{}", rules.concat())
            .replace("\"sound\" {\n  hook = ", "\"s\" {\n  hook = "),
        &[
            "rules.hcl:14: rule \"missing\": options: action \"options\" needs text, text",
            "rules.hcl:22: rule \"kinds\": options: text: expected text, found 3",
            "rules.hcl:23: rule \"kinds\": options: count: expected a whole number, found 1.5",
            "rules.hcl:24: rule \"kinds\": options: every: expected a time such as \"500ms\" or \
             \"2h\", found \"soon\"",
            "rules.hcl:33: rule \"unknown\": options: action \"options\" has no option \
             \"counts\"; did you mean \"count\"?",
        ],
    );
}

#[test]
fn pools_are_there_exactly_where_they_are_used() {
    let rules = [
        rule("missing", "message.publish", "store", ""),
        rule("extra", "message.publish", "noop", "pool = \"memory\""),
    ];
    check(
        &format!("{SOUND}{}", rules.concat()),
        &[
            "rules.hcl:14: rule \"missing\": pool: action \"store\" needs one of the kind sql: \
             memory, other",
            "rules.hcl:21: rule \"extra\": pool: action \"noop\" uses none: remove it",
        ],
    );
}

#[test]
fn topic_filters_are_checked() {
    let rules = [
        rule("wild", "message.publish", "noop", "topic = \"a/#/b\""),
        rule(
            "shared",
            "message.publish",
            "noop",
            "topic = \"$share/g/a\"",
        ),
    ];
    check(
        &format!("{SOUND}{}", rules.concat()),
        &[
            "rules.hcl:15: rule \"wild\": topic: \"a/#/b\" has a # that is not the whole of the \
             last level",
            "rules.hcl:21: rule \"shared\": topic: a shared subscription takes its share of the \
             messages, and a rule sees all",
        ],
    );
}

#[test]
fn names_that_settings_check_are_checked_here_as_well() {
    // Settings can be made without a file.
    let mut settings = settings(SOUND);
    let rule = &mut settings.rules[0];
    rule.hook.value = "message.publsh".to_owned();
    rule.module.value = "n".to_owned();
    rule.pool.as_mut().unwrap().value = "memry".to_owned();
    let mut expected = vec![
        "rules.hcl:5: rule \"sound\": hook: no hook is called \"message.publsh\"; did you mean \
         \"message.publish\"?",
        "rules.hcl:6: rule \"sound\": module: no module is called \"n\"; did you mean \"m\"?",
    ];
    expected.push(
        "rules.hcl:8: rule \"sound\": pool: no pool is called \"memry\"; did you mean \"memory\"?",
    );
    assert_eq!(problems(&settings), expected);
}

#[test]
fn imports_have_to_be_granted_and_grants_used() {
    let module = "module \"m\" {}\n";
    let noop = rule("r", "message.publish", "noop", "");
    check(
        &format!("{module}{noop}"),
        &[
            "rules.hcl:1: module \"m\": it imports hookwire:host/clock, which it was not \
             granted: write grants = [\"clock\"]",
            "rules.hcl:1: module \"m\": it imports hookwire:broker/broker, which it was not \
             granted: write grants = [\"broker.publish\"], or broker.deliver, broker.subscribe, \
             broker.unsubscribe, broker.disconnect, broker.lookup",
        ],
    );
    let mut settings = settings(SOUND);
    settings.modules[0].grants[0].value = "clok".to_owned();
    assert_eq!(
        problems(&settings),
        [
            "rules.hcl:2: module \"m\": grants: nothing called \"clok\" can be granted; did you \
             mean \"clock\"?",
            "rules.hcl:1: module \"m\": it imports hookwire:host/clock, which it was not \
             granted: write grants = [\"clock\"]",
        ]
    );
}

#[test]
fn what_a_module_refuses_has_the_place_of_its_rule() {
    let refuse = |why: &str| format!("options {{ refuse = \"{why}\" }}");
    let rules = [
        rule("late", "message.publish", "noop", &refuse("too late")),
        rule("early", "client.connected", "noop", &refuse("too early")),
    ];
    check(
        &format!("{SOUND}{}", rules.concat()),
        &[
            "rules.hcl:17: rule \"early\": too early",
            "rules.hcl:11: rule \"late\": too late",
        ],
    );
}

#[test]
fn what_a_module_warns_of_has_the_place_of_its_rule_and_is_said_once() {
    let warn = "options { warn = \"too wide\" }";
    let settings = settings(&format!(
        "{SOUND}{}",
        rule("wide", "message.publish", "noop", warn)
    ));
    let modules = crate::blocks::modules();
    let pools = pools(&Stores::new());
    let said = |problems: &[Problem]| -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    };
    let expected = ["rules.hcl:11: rule \"wide\": too wide"];
    let plan = Plan::bind(runtime(), &settings, modules, &pools, None);
    let plan = plan.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(said(plan.warnings()), expected);
    let checked = Plan::check(runtime(), &settings, modules);
    assert_eq!(said(&checked.expect("warnings are no problems")), expected);
    let same = Plan::bind(runtime(), &settings, modules, &pools, Some(&plan));
    let same = same.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(
        same.warnings().is_empty(),
        "the module is taken over as it is"
    );
}

#[test]
fn rules_of_a_module_that_did_not_load_are_passed_over() {
    let settings: Settings = settings(SOUND);
    let plan = Plan::bind(runtime(), &settings, &HashMap::new(), &HashMap::new(), None);
    let plan = plan.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(plan.stats().is_empty() && plan.module_stats().is_empty());
    let error = WorkerRules::new(&plan, 3, hookwire_rules::House::without_store())
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "worker 3 has no async runtime to run lanes on"
    );
}

#[test]
fn a_store_asked_while_rules_are_given_is_not_there_when_they_are_checked() {
    let asks = "pool = \"memory\"\n  options { ask = true }";
    let blocks = format!("{SOUND}{}", rule("asks", "message.publish", "store", asks));
    let settings = settings(&blocks);
    let modules = crate::blocks::modules();
    let problems = Plan::check(runtime(), &settings, modules).err().unwrap();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "rules.hcl:11: rule \"asks\": pool \"memory\" is not opened while a configuration \
             is checked"
        ]
    );
}

#[test]
fn a_pool_that_was_not_opened_is_a_problem() {
    let settings = settings(SOUND);
    let modules = crate::blocks::modules();
    let problems = Plan::bind(runtime(), &settings, modules, &HashMap::new(), None).err();
    let said: Vec<String> = problems.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["rules.hcl:4: rule \"sound\": pool: \"memory\" is not open"]
    );
    assert!(Plan::check(runtime(), &settings, modules).is_ok());
}
