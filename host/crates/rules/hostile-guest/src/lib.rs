//! A module that does its host harm. Each action is one way of doing so, on
//! every message it is given, straight on the generated bindings: the SDK would
//! not let an author do most of it.

mod bindings;

use std::cell::RefCell;
use std::hint::black_box;

use bindings::exports::hookwire::rule::actions::{
    Action, Call, ConfigError, Denial, Event, Guest, Manifest, Replacement, Rule, Setting, Settled,
    Verdict,
};
use bindings::hookwire::broker::broker::{self, Outgoing};
use bindings::hookwire::host::{key_value, log};

thread_local! {
    static RULES: RefCell<Vec<Rule>> = const { RefCell::new(Vec::new()) };
}

const ACTIONS: [&str; 13] = [
    "spin",
    "fill",
    "grow",
    "recurse",
    "flood_log",
    "flood_keys",
    "flood_publish",
    "giant_list",
    "giant_text",
    "giant_payload",
    "beyond",
    "trap",
    "trap_on_boom",
];

/// More than the host takes of one answer.
const GIANT_BYTES: usize = 40 << 20;
/// Calls that flood the log and the broker in one batch.
const FLOOD: u32 = 10_000;

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Manifest {
        let action = |name: &&str| Action {
            name: (*name).to_owned(),
            help: String::new(),
            hooks: vec!["message.publish".to_owned()],
            interest: vec!["payload".to_owned()],
            pool: String::new(),
            stores: false,
            batch: true,
            options: Vec::new(),
        };
        Manifest {
            name: "hostile".to_owned(),
            version: "1.0.0".to_owned(),
            actions: ACTIONS.iter().map(action).collect(),
        }
    }

    fn configure(setting: Setting) -> Result<Vec<ConfigError>, Vec<ConfigError>> {
        RULES.set(setting.rules);
        Ok(Vec::new())
    }

    fn handle(events: Vec<Event>, calls: Vec<Call>) -> Vec<Settled> {
        let mut settled = Vec::new();
        for (number, call) in (0..).zip(&calls) {
            let action = RULES.with_borrow(|rules| {
                let mut rules = rules.iter();
                let rule = rules.find(|rule| rule.id == call.rule);
                rule.map_or(String::new(), |rule| rule.action.clone())
            });
            if let Some(Event::Message(message)) = events.get(call.event as usize) {
                harm(&action, number, &message.payload, &mut settled);
            }
        }
        settled
    }
}

fn harm(action: &str, call: u32, payload: &[u8], settled: &mut Vec<Settled>) {
    match action {
        "spin" => spin(),
        "fill" => fill(),
        "grow" => grow(),
        "recurse" => drop(black_box(recurse(1))),
        "flood_log" => (0..FLOOD).for_each(|line| {
            log::write(
                log::Level::Info,
                &format!("line {line} {}", "x".repeat(4000)),
            );
        }),
        "flood_keys" => flood_keys(),
        "flood_publish" => flood_publish(),
        "giant_list" => settled.extend((0..300_000).map(|_| Settled {
            call,
            verdict: Verdict::Proceed,
        })),
        "giant_text" => settled.push(Settled {
            call,
            verdict: Verdict::Deny(Denial {
                reason_code: 0x80,
                reason: "x".repeat(GIANT_BYTES),
                extras: Vec::new(),
            }),
        }),
        "giant_payload" => settled.push(Settled {
            call,
            verdict: Verdict::Replace(Replacement {
                topic: None,
                payload: Some(vec![b'x'; GIANT_BYTES]),
                qos: None,
                retain: None,
                user_properties: None,
                extras: Vec::new(),
            }),
        }),
        "beyond" => settled.extend([9_999, u32::MAX].map(|call| Settled {
            call,
            verdict: Verdict::Drop,
        })),
        "trap" => trap(),
        "trap_on_boom" if payload == b"boom" => trap(),
        _ => {}
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Fills most of its memory again and again: one instruction each time, which
/// nothing interrupts.
fn fill() -> ! {
    let mut bytes = vec![0_u8; GIANT_BYTES];
    loop {
        bytes.fill(black_box(1));
        black_box(&mut bytes);
    }
}

fn grow() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

#[expect(
    unconditional_recursion,
    reason = "the stack is to be used up to its end"
)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

/// Without end: keys until there is no room for more, then one over and over.
fn flood_keys() -> ! {
    let value = vec![1; 64 * 1024];
    let mut key = 0_u64;
    loop {
        let kept = key_value::set(&format!("key-{key}"), &value, None);
        key = if kept.is_ok() { key + 1 } else { 0 };
    }
}

fn flood_publish() {
    for _ in 0..FLOOD {
        let message = Outgoing {
            topic: "flood".to_owned(),
            payload: vec![b'x'; 1024],
            qos: 0,
            retain: false,
            expiry_s: None,
            user_properties: Vec::new(),
            extras: Vec::new(),
        };
        // Refused from some number on, which is what is to be seen.
        drop(broker::publish(&message));
    }
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    std::process::abort()
}
