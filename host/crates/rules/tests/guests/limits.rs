//! Deadline, memory, and the worker beside a guest that misbehaves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hookwire_broker::Verdict;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::blocks::{MODULE, rule};
use crate::message_log::logged;
use crate::rig::{Rig, with_rules};

fn blocks(deadline: &str, rules: &[String]) -> String {
    let module = MODULE
        .replace("deadline  = \"10s\"", &format!("deadline = \"{deadline}\""))
        .replace("lanes     = 1", "lanes = 4");
    module + &rules.concat()
}

#[track_caller]
fn assert_stopped(verdict: &Verdict) {
    match verdict {
        Verdict::Failed {
            refusal, retryable, ..
        } => {
            let expected = "rule spin: it failed (host:deadline)";
            assert_eq!((&*refusal.text, *retryable), (expected, false));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guest_that_spins_is_stopped_while_others_go_on() {
    let rules = [
        rule("spin", "message.publish", "spin", "topic = \"spin\""),
        rule("noop", "message.publish", "noop", "topic = \"noop\""),
    ];
    with_rules(&blocks("1s", &rules), async |mut rig: Rig| {
        // Every lane has its instance.
        for client in 0..64 {
            rig.publish(&client.to_string(), "noop", "");
        }
        rig.verdicts().await;
        let started = Instant::now();
        let spinning = rig.publish("spinner", "spin", "spin");
        let mut served = 0;
        while !rig.decided_so_far().contains(&spinning) {
            // Of eight clients on four lanes, some are beside the spinner's.
            let enough = rig.decided_so_far().len() + 1;
            for client in 0..8 {
                rig.publish(&client.to_string(), "noop", "");
            }
            rig.wait_for("clients of other lanes are served", |rig| {
                rig.decided_so_far().len() >= enough
            })
            .await;
            served += 1;
        }
        let stopped = started.elapsed();
        assert!(stopped >= Duration::from_secs(1), "{stopped:?}");
        assert!(served >= 20, "served {served} times in {stopped:?}");
        let verdicts = rig.verdicts().await;
        assert_stopped(&verdicts[0]);
        assert_eq!(rig.module_stats("m").deadline_misses, 1);
        assert_eq!(rig.verdict("spinner", "spin", "").await, Verdict::Proceed);
    });
}

#[test]
fn a_guest_that_spins_does_not_hold_up_the_workers_sockets() {
    let rules = [rule("spin", "message.publish", "spin", "")];
    with_rules(&blocks("1s", &rules), async |mut rig: Rig| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        rig.publish("c", "t", "spin");
        let client = std::thread::spawn(move || turns(address));
        let (mut socket, _) = listener.accept().await.unwrap();
        let echo = async {
            let mut byte = [0];
            loop {
                socket.read_exact(&mut byte).await.unwrap();
                socket.write_all(&byte).await.unwrap();
            }
        };
        tokio::select! {
            () = echo => {}
            verdicts = rig.verdicts() => assert_stopped(&verdicts[0]),
        }
        drop(socket);
        let turns = client.join().unwrap();
        // One in a slice of a millisecond, on a machine with nothing else to do.
        assert!(turns >= 20, "{turns} turns");
    });
}

/// Sends a byte and waits for it to come back, until the other side goes.
fn turns(address: SocketAddr) -> u32 {
    let mut socket = TcpStream::connect(address).unwrap();
    let mut turns = 0;
    let mut byte = [0];
    while socket.write_all(b"?").is_ok() && matches!(socket.read(&mut byte), Ok(1)) {
        turns += 1;
    }
    turns
}

#[test]
fn a_guest_that_takes_too_much_memory_is_ended() {
    let rules = [rule("grow", "message.publish", "grow", "")];
    let log = logged(|| {
        with_rules(&blocks("10s", &rules), async |mut rig: Rig| {
            let verdict = rig.verdict("c", "t", "grow").await;
            assert!(matches!(
                verdict,
                Verdict::Failed {
                    retryable: false,
                    ..
                }
            ));
            assert_eq!(rig.verdict("c", "t", "").await, Verdict::Proceed);
        });
    });
    assert!(log.contains("out of memory: it needs "), "{log}");
    assert!(log.contains("max_memory_bytes is 67108864"), "{log}");
}

#[test]
fn a_module_that_does_not_fit_its_memory_is_refused_when_it_is_bound() {
    let module = MODULE.replace("deadline  = \"10s\"", "max_memory_bytes = 65536");
    let settings = crate::blocks::settings(&module);
    let problems = crate::blocks::problems(&settings);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let expected = "rules.hcl:2: module \"m\": it does not come up with its rules: out of memory: ";
    assert!(problems[0].starts_with(expected), "{problems:?}");
}

#[test]
fn guests_write_bounded_lines_to_the_log() {
    let rules = [rule("say", "message.publish", "say", "")];
    let log = logged(|| {
        with_rules(&blocks("10s", &rules), async |mut rig: Rig| {
            assert_eq!(rig.verdict("c", "t", "").await, Verdict::Proceed);
        });
    });
    assert!(log.contains("line 0 module=\"m\""), "{log}");
    let lines = log.matches("module=\"m\"").count();
    assert!((50..=250).contains(&lines), "bounded: {lines}");
    assert!(log.lines().all(|line| line.len() < 5_000));
}
