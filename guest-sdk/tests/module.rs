//! A whole module, called as the broker calls it.

use hookwire_sdk::prelude::*;
use hookwire_sdk::testing::{self, Event, Instance, Rule, Settled};

/// Keeps messages.
///
/// All of them.
#[action(
    hook = "message.publish",
    interest("qos>0", "payload"),
    pool = "sql",
    stores
)]
fn keep(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    let rows = messages
        .iter()
        .map(|message| [ctx.rule().into(), (&message.topic).into()]);
    Ok(ctx.sql()?.exec_many("INSERT kept", rows)?.into())
}

#[derive(Options)]
struct Limits {
    /// Bytes of payload.
    #[option(default = 3)]
    limit: usize,
    /// Topics that pass.
    only: Option<Vec<String>>,
    #[option(default = "deny", name = "too-long")]
    too_long: TooLong,
}

#[derive(OptionValue)]
enum TooLong {
    Deny,
    DropSilently,
}

#[action(hook = "message.publish", options = Limits)]
fn limit(_: &Context, options: &Limits, message: &Message) -> Verdict {
    log_info!("looking at {}", message.topic);
    if let Some(only) = &options.only
        && !only.contains(&message.topic)
    {
        return Verdict::Drop;
    }
    match options.too_long {
        _ if message.payload.len() <= options.limit => Verdict::Proceed,
        TooLong::Deny => Verdict::deny(reason_code::PACKET_TOO_LARGE, "too long"),
        TooLong::DropSilently => Verdict::Drop,
    }
}

/// Takes a batch and options.
#[action(hook = "message.acked", interest("payload"), options = Limits)]
fn count(ctx: &Context, options: &Limits, deliveries: &[&Delivery]) {
    log_info!("{}: {} of {}", ctx.rule(), deliveries.len(), options.limit);
}

/// Answers one verdict, whatever it is given.
#[action(hook = "message.publish")]
fn one_verdict(_: &Context, _: &[&Message]) -> Vec<Verdict> {
    vec![Verdict::Drop]
}

#[action(hook = "client.connected", hook = "client.disconnected")]
fn greet(_: &Context, client: &Client) {
    log_warn!("{} {}", client.clientid, client.reason);
}

hookwire_sdk::module! { name: "sample", actions: [keep, limit, count, one_verdict, greet] }

fn message(topic: &str) -> Event {
    Event::Message(testing::message(topic, topic))
}

fn configured(rules: Vec<Rule>) -> Instance<Module> {
    Instance::configure(rules).expect("the rules fit")
}

fn verdicts(settled: Vec<Settled>) -> Vec<(u32, Verdict)> {
    settled
        .into_iter()
        .map(|settled| (settled.call, settled.verdict))
        .collect()
}

#[test]
fn the_manifest_says_what_the_attributes_say() {
    let manifest = Instance::<Module>::describe();
    assert_eq!(manifest.name, "sample");
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
    let [keep, limit, count, one_verdict, greet] = manifest.actions.as_slice() else {
        panic!("{manifest:?}");
    };
    assert_eq!(keep.name, "keep");
    assert_eq!(keep.help, "Keeps messages.\n\nAll of them.");
    assert_eq!(keep.hooks, ["message.publish"]);
    assert_eq!(keep.interest, ["qos>0", "payload"]);
    assert_eq!(keep.pool, "sql");
    assert!(keep.stores && keep.batch);
    assert!(!limit.stores && !limit.batch);
    let options: Vec<_> = limit
        .options
        .iter()
        .map(|option| {
            let default = option.default.as_deref();
            (
                option.name.as_str(),
                option.kind.as_str(),
                default,
                option.required,
            )
        })
        .collect();
    assert_eq!(
        options,
        [
            ("limit", "integer", Some("3"), false),
            ("only", "list", None, false),
            ("too-long", "string", Some("\"deny\""), false),
        ]
    );
    assert_eq!(limit.options[0].help, "Bytes of payload.");
    assert_eq!(limit.options[2].help, "One of deny, drop-silently.");
    assert!(count.batch && count.options.len() == 3);
    assert!(one_verdict.batch);
    assert_eq!(greet.hooks, ["client.connected", "client.disconnected"]);
}

#[test]
fn consecutive_calls_of_a_rule_are_one_batch() {
    let pool = testing::SqlPool::named("main");
    let instance = configured(vec![
        Rule::new(&keep::ACTION).named("first").pool("main"),
        Rule::new(&keep::ACTION).named("second").pool("main"),
    ]);
    let events = [message("a"), message("b"), message("c")];
    let settled = instance.handle(&events, &[(0, 0), (0, 2), (1, 1), (1, 2), (0, 1)]);
    assert_eq!(settled, []);
    let stored: Vec<Vec<String>> = pool
        .stored()
        .iter()
        .map(|call| {
            call.rows
                .iter()
                .map(|row| {
                    format!(
                        "{} {}",
                        row[0].as_text().unwrap(),
                        row[1].as_text().unwrap()
                    )
                })
                .collect()
        })
        .collect();
    assert_eq!(
        stored,
        [
            vec!["first a", "first c"],
            vec!["second b", "second c"],
            vec!["first b"],
        ]
    );
}

#[test]
fn a_refused_row_fails_its_own_call() {
    let pool = testing::SqlPool::named("main");
    let refusal = Fault::new(FaultKind::Refused, "sqlite:19", "no");
    let answer = refusal.clone();
    pool.refuse_rows(move |row| (row[1].as_text() == Some("b")).then(|| answer.clone()));
    let instance = configured(vec![Rule::new(&keep::ACTION).pool("main")]);
    let events = [message("a"), message("b"), message("c")];
    let settled = instance.handle(&events, &[(0, 2), (0, 1), (0, 0)]);
    assert_eq!(verdicts(settled), [(1, Verdict::Failed(refusal))]);
}

#[test]
fn a_failed_store_call_fails_its_batch_and_no_other() {
    let pool = testing::SqlPool::named("main");
    let fault = Fault::new(FaultKind::Unavailable, "sqlite:13", "full").retryable();
    pool.fail_next(fault.clone());
    let instance = configured(vec![
        Rule::new(&keep::ACTION).pool("main"),
        Rule::new(&keep::ACTION).pool("main"),
    ]);
    let events = [message("a"), message("b"), message("c")];
    let settled = instance.handle(&events, &[(0, 0), (0, 1), (1, 2)]);
    assert_eq!(
        verdicts(settled),
        [
            (0, Verdict::Failed(fault.clone())),
            (1, Verdict::Failed(fault)),
        ]
    );
}

#[test]
fn an_event_that_a_rule_decided_about_goes_no_further() {
    let pool = testing::SqlPool::named("main");
    pool.refuse_rows(|row| {
        let is_refused = row[0].as_text() == Some("first") && row[1].as_text() == Some("b");
        is_refused.then(|| Fault::new(FaultKind::Refused, "sqlite:19", "no"))
    });
    let instance = configured(vec![
        Rule::new(&keep::ACTION).named("first").pool("main"),
        Rule::new(&keep::ACTION).named("second").pool("main"),
    ]);
    let events = [message("a"), message("b"), message("c")];
    let calls = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
    let settled = verdicts(instance.handle(&events, &calls));
    assert!(matches!(settled[..], [(1, Verdict::Failed(_))]));
    let second = &pool.stored()[1].rows;
    let topics: Vec<_> = second.iter().map(|row| row[1].as_text()).collect();
    assert_eq!(topics, [Some("a"), Some("c")]);
}

#[test]
fn a_pool_that_is_not_granted_is_denied() {
    let instance = configured(vec![Rule::new(&keep::ACTION).pool("nowhere")]);
    let settled = verdicts(instance.handle(&[message("a")], &[(0, 0)]));
    let [(0, Verdict::Failed(fault))] = settled.as_slice() else {
        panic!("the call did not fail");
    };
    assert_eq!(fault.kind, FaultKind::Denied);
}

#[test]
fn an_action_on_one_event_is_looped_over() {
    let instance = configured(vec![
        Rule::new(&limit::ACTION).option("only", vec!["a", "bbbb"]),
    ]);
    let events = [message("a"), message("bbbb"), message("c")];
    let settled = instance.handle(&events, &[(0, 0), (0, 1), (0, 2)]);
    assert_eq!(
        verdicts(settled),
        [(1, Verdict::deny(0x95, "too long")), (2, Verdict::Drop)]
    );
    let log: Vec<String> = testing::take_log()
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(log, ["looking at a", "looking at bbbb", "looking at c"]);
}

#[test]
fn a_batch_takes_options_too() {
    let acked = || testing::delivery("c1", testing::message("a", ""));
    let rule = Rule::new(&count::ACTION).option("limit", 9);
    assert_eq!(
        rule.run_batch([acked(), acked()]),
        [Verdict::Proceed, Verdict::Proceed]
    );
    assert_eq!(testing::take_log()[0].1, "count: 2 of 9");
}

#[test]
fn too_few_verdicts_fail_every_event() {
    let instance = configured(vec![Rule::new(&one_verdict::ACTION)]);
    let events = [message("a"), message("b")];
    let settled = verdicts(instance.handle(&events, &[(0, 0), (0, 1)]));
    assert_eq!(settled.len(), 2);
    assert!(
        settled
            .iter()
            .all(|(_, verdict)| matches!(verdict, Verdict::Failed(fault) if fault.code == "hookwire:verdicts"))
    );
    let settled = verdicts(instance.handle(&events[..1], &[(0, 0)]));
    assert_eq!(settled, [(0, Verdict::Drop)]);
}

#[test]
fn events_of_another_shape_fail_alone() {
    let pool = testing::SqlPool::named("main");
    let instance = configured(vec![Rule::new(&keep::ACTION).pool("main")]);
    let events = [
        Event::Client(testing::client("c")),
        message("a"),
        Event::Other(Vec::new()),
    ];
    let settled = verdicts(instance.handle(&events, &[(0, 0), (0, 1), (0, 2)]));
    let failed: Vec<u32> = settled.iter().map(|(call, _)| *call).collect();
    assert_eq!(failed, [0, 2]);
    assert_eq!(pool.stored()[0].rows.len(), 1);
}

#[test]
fn calls_beyond_the_batch_or_the_rules_fail() {
    let instance = configured(vec![Rule::new(&limit::ACTION)]);
    let settled = verdicts(instance.handle(&[message("a")], &[(7, 0), (0, 9), (0, 0)]));
    let failed: Vec<u32> = settled.iter().map(|(call, _)| *call).collect();
    assert_eq!(failed, [0, 1, 2], "calls of one rule are one batch");
}

#[test]
fn rules_that_do_not_fit_are_refused_together() {
    let errors = Instance::<Module>::configure(vec![
        Rule::new(&keep::ACTION),
        Rule::new(&limit::ACTION)
            .option("limit", true)
            .option("to-long", "deny"),
        Rule::new(&limit::ACTION).option("too-long", "drop_silently"),
        Rule::new(&limit::ACTION).hook("client.connected"),
    ])
    .err()
    .unwrap();
    let errors: Vec<(u32, &str)> = errors
        .iter()
        .map(|error| (error.rule, error.message.as_str()))
        .collect();
    assert_eq!(
        errors,
        [
            (0, "the action `keep` needs a pool of kind `sql`"),
            (
                1,
                "the action has no option `to-long`; did you mean \"too-long\"?"
            ),
            (
                1,
                "the option `limit` takes a whole number that is not negative, and is true"
            ),
            (
                2,
                "the option `too-long` takes one of deny, drop-silently \
                 (did you mean \"drop-silently\"?), and is \"drop_silently\""
            ),
            (
                3,
                "the action `limit` is for message.publish, not for client.connected"
            ),
        ]
    );
}

#[test]
fn an_action_of_several_hooks_sees_the_reason() {
    let ctx = Rule::new(&greet::ACTION)
        .hook("client.disconnected")
        .context();
    assert_eq!(ctx.hook(), "client.disconnected");
    greet(
        &ctx,
        &Client {
            reason: "keep-alive".to_owned(),
            ..testing::client("c1")
        },
    );
    assert_eq!(testing::take_log()[0].1, "c1 keep-alive");
}

#[test]
#[should_panic(expected = "client.subscribe takes replace, deny, disconnect, and not `drop`")]
fn a_verdict_that_does_not_fit_ends_the_test() {
    #[action(hook = "client.subscribe")]
    fn drop_it(_: &Context, _: &Subscription) -> Verdict {
        Verdict::Drop
    }
    Rule::new(&drop_it::ACTION).run(testing::subscription("c1", "a/#"));
}

#[test]
#[should_panic(expected = "the reason code 0x00 refuses nothing")]
fn a_refusal_needs_a_code_that_refuses() {
    #[action(hook = "message.publish")]
    fn refuse(_: &Context, _: &Message) -> Verdict {
        Verdict::deny(0, "no")
    }
    Rule::new(&refuse::ACTION).run(testing::message("a", ""));
}
