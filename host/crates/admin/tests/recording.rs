//! A recording, from the broker's side of the socket to the command's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookwire_admin::{Administration, Client, Recording, Refusal, Request, Tap, bind, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

/// Tells of three events, with more to come.
#[derive(Default)]
struct Three {
    missed: Arc<AtomicU64>,
    more: Mutex<Option<mpsc::Sender<String>>>,
}

impl Administration for Three {
    async fn answer(&self, _: Request) -> Result<Value, Refusal> {
        Ok(Value::Null)
    }

    async fn record(&self, tap: Tap) -> Result<Recording, Refusal> {
        if tap.topic.as_deref() == Some("wrong") {
            return Err(Refusal::new("no"));
        }
        let (sender, lines) = mpsc::channel(3);
        for number in 0..3 {
            sender.try_send(format!("{{\"number\":{number}}}")).unwrap();
        }
        *self.more.lock().await = Some(sender);
        let missed = Arc::clone(&self.missed);
        Ok(Recording { lines, missed })
    }
}

fn tap(count: usize) -> Tap {
    Tap {
        hook: "message.publish".to_owned(),
        topic: None,
        count,
        payloads: false,
    }
}

fn served() -> (TempDir, Client, Arc<Three>) {
    let directory = tempfile::tempdir().unwrap();
    let three = Arc::new(Three::default());
    let listener = bind(directory.path()).unwrap();
    tokio::spawn(serve(listener, Arc::clone(&three)));
    let client = Client::new(directory.path());
    (directory, client, three)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("the broker's side answers")
}

#[tokio::test]
async fn behind_the_events_comes_how_many_are_missing() {
    let (_directory, client, three) = served();
    three.missed.store(7, Ordering::Relaxed);
    let mut events = within(client.record(tap(2))).await.unwrap();
    for number in 0..2 {
        let line = within(events.next()).await.unwrap();
        assert_eq!(line, Some(format!("{{\"number\":{number}}}")));
    }
    assert_eq!(within(events.next()).await.unwrap(), None);
    assert_eq!(events.missed(), 7);
}

#[tokio::test]
async fn who_stops_is_told_what_was_missing() {
    let (_directory, client, three) = served();
    three.missed.store(2, Ordering::Relaxed);
    let mut events = within(client.record(tap(100))).await.unwrap();
    assert!(within(events.next()).await.unwrap().is_some());
    events.stop().await;
    let mut more = 0;
    while within(events.next()).await.unwrap().is_some() {
        more += 1;
    }
    assert!(more <= 2, "{more}");
    assert_eq!(events.missed(), 2);
}

#[tokio::test]
async fn a_refusal_is_told() {
    let (_directory, client, _three) = served();
    let mut wrong = tap(1);
    wrong.topic = Some("wrong".to_owned());
    let mut events = within(client.record(wrong)).await.unwrap();
    let refused = within(events.next()).await.unwrap_err();
    assert_eq!(refused.to_string(), "no");
}
