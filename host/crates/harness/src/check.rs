//! Holds what a run found against what its fixture expects.

use hookwire_mqtt::QoS;
use hookwire_rules::Metric;
use hookwire_settings::{At, Located, Problem};

use crate::cells::{match_rows, text_of_expected, text_of_found};
use crate::fixture::{
    CallExpected, Event, Expectation, Expected, Fixture, HttpExpected, QueryExpected, Step,
    StoreExpected, goes_on,
};
use crate::seen::{Asked, Seen};
use crate::store::StoreCall;
use crate::trace::{Did, Trace};
use crate::world::HttpCall;

/// What a fixture expects and a run did not find, in the order of the file.
#[must_use]
pub fn unmet(fixture: &Fixture, trace: &Trace) -> Vec<Problem> {
    let mut check = Check::default();
    for (step, did) in fixture.steps.iter().zip(&trace.steps) {
        match step {
            Step::Events(events) => check.events(events, did),
            Step::Expect(expected) => check.expectation(expected, did),
            Step::Advance(_) | Step::Fault(_) | Step::Http(_) => {}
        }
    }
    let mut seen = trace.steps.iter().flat_map(|did| &did.seen);
    if !seen.any(|seen| seen.ran) {
        let what = "no event reached a rule: look at hooks, topics and interests";
        check.report(&fixture.start, what.to_owned());
    }
    check.unmet
}

#[derive(Default)]
struct Check<'t> {
    unmet: Vec<Problem>,
    /// What was found since the last expectation.
    store: Vec<&'t StoreCall>,
    broker: Vec<&'t Asked>,
    http: Vec<&'t HttpCall>,
    log: Vec<&'t str>,
}

impl<'t> Check<'t> {
    fn report(&mut self, at: &At, message: String) {
        self.unmet.push(Problem {
            at: at.clone(),
            message,
        });
    }

    fn events(&mut self, events: &[Event], did: &'t Did) {
        for (event, seen) in events.iter().zip(&did.seen) {
            self.event(event, seen);
        }
        self.unanswered(events, did);
        let told = |event: &&Event| !event.hook.is_decision();
        let expects_failure = |event: &&Event| {
            let verdict = event.expected.verdict.as_ref();
            verdict.is_some_and(|verdict| verdict.value == "failed")
        };
        let expected = events.iter().filter(told).filter(expects_failure).count() as u64;
        let all_told = events.iter().all(|event| told(&event));
        if events.len() > 1
            && all_told
            && did.failed != expected
            && let Some(event) = events.first()
        {
            let failed = did.failed;
            let what = format!("batch: expected {expected} events to fail, found {failed}");
            self.report(&event.at, what);
        }
        self.store.extend(&did.store);
        self.http.extend(&did.http);
        self.broker
            .extend(did.broker.iter().filter(|asked| asked.call != "lookup"));
        self.log.extend(did.log.iter().map(String::as_str));
    }

    fn event(&mut self, event: &Event, seen: &Seen) {
        let expected = &event.expected;
        let (word, at) = match &expected.verdict {
            Some(verdict) => (verdict.value.as_str(), &verdict.at),
            None => (goes_on(event.hook), &event.at),
        };
        // In a batch, an event that nobody waits for is only counted.
        let is_counted = word == "failed" && !event.hook.is_decision();
        if word != seen.verdict && !(is_counted && seen.ran) {
            let what = format!(
                "{}: expected the verdict {word}, found {seen}",
                event.hook.name()
            );
            return self.report(at, what);
        }
        self.fields(expected, seen);
    }

    fn fields(&mut self, expected: &Expected, seen: &Seen) {
        self.same(
            "reason_code",
            expected.reason_code.as_ref(),
            seen.reason_code.as_ref(),
        );
        self.same("topic", expected.topic.as_ref(), seen.topic.as_ref());
        self.same("qos", expected.qos.as_ref(), seen.qos.as_ref());
        self.same("retain", expected.retain.as_ref(), seen.retain.as_ref());
        self.same(
            "user_properties",
            expected.user_properties.as_ref(),
            seen.user_properties.as_ref(),
        );
        self.same(
            "subscriptions",
            expected.subscriptions.as_ref(),
            seen.subscriptions.as_ref(),
        );
        self.same(
            "is_present",
            expected.is_present.as_ref(),
            seen.is_present.as_ref(),
        );
        self.same(
            "exchanges",
            expected.exchanges.as_ref(),
            seen.exchanges.as_ref(),
        );
        self.same(
            "messages",
            expected.messages.as_ref(),
            seen.messages.as_ref(),
        );
        self.same("next", expected.next.as_ref(), seen.next.as_ref());
        self.bytes(
            "payload",
            expected.payload.as_ref(),
            seen.payload.as_deref(),
        );
        self.bytes("data", expected.data.as_ref(), seen.data.as_deref());
        if let Some(keep) = &expected.keep {
            let keep_ms = u64::try_from(keep.value.as_millis()).unwrap_or(u64::MAX);
            if seen.keep_ms != Some(keep_ms) {
                let found = seen.keep_ms;
                let found = found.map_or("until rules change".to_owned(), |ms| format!("{ms} ms"));
                self.report(
                    &keep.at,
                    format!("keep: expected {keep_ms} ms, found {found}"),
                );
            }
        }
        if let Some(reason) = &expected.reason {
            let found = seen.reason.as_deref().unwrap_or_default();
            if !found.contains(&reason.value) {
                let expected = &reason.value;
                let what = format!("reason: expected {expected:?} in the text, found {found:?}");
                self.report(&reason.at, what);
            }
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        expected: Option<&Located<T>>,
        found: Option<&T>,
    ) {
        let Some(expected) = expected else { return };
        if Some(&expected.value) != found {
            let found = found.map_or("none".to_owned(), |found| format!("{found:?}"));
            let message = format!("{what}: expected {:?}, found {found}", expected.value);
            self.report(&expected.at, message);
        }
    }

    fn bytes(&mut self, what: &str, expected: Option<&Located<Vec<u8>>>, found: Option<&[u8]>) {
        let Some(expected) = expected else { return };
        if Some(expected.value.as_slice()) != found {
            let text = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
            let found = found.map_or("none".to_owned(), text);
            let message = format!("{what}: expected {}, found {found}", text(&expected.value));
            self.report(&expected.at, message);
        }
    }

    fn expectation(&mut self, expected: &Expectation, did: &Did) {
        let store = std::mem::take(&mut self.store);
        let broker = std::mem::take(&mut self.broker);
        let http = std::mem::take(&mut self.http);
        let log = std::mem::take(&mut self.log);
        if let Some(calls) = &expected.store_calls {
            self.store_calls(&expected.at, calls, &store);
        }
        if let Some(calls) = &expected.broker_calls {
            self.broker_calls(&expected.at, calls, &broker);
        }
        if let Some(calls) = &expected.http_calls {
            self.http_calls(&expected.at, calls, &http);
        }
        for (query, found) in expected.queries.iter().zip(&did.queries) {
            match found {
                Ok(found) if match_rows(&query.rows, &found.rows) => {}
                Ok(found) => self.query(query, &text_of_found(&found.rows)),
                Err(fault) => self.query(query, &fault.to_string()),
            }
        }
        self.log(&expected.log, &log);
        for (name, value) in &expected.metrics {
            let metric = did.figures.iter().find(|(known, _)| *known == name.value);
            let found = metric.map(|(_, metric)| figure(metric));
            if found != Some(*value) {
                let found = found.map_or("none".to_owned(), |found| found.to_string());
                let name_is = &name.value;
                let what = format!("metrics: {name_is}: expected {value}, found {found}");
                self.report(&name.at, what);
            }
        }
        for ((key, expected), found) in expected.kept.iter().zip(&did.kept) {
            if expected.as_deref().map(str::as_bytes) != found.as_deref() {
                let text = |bytes: &Vec<u8>| format!("{:?}", String::from_utf8_lossy(bytes));
                let found = found.as_ref().map_or("nothing".to_owned(), text);
                let wanted = expected.as_ref();
                let wanted = wanted.map_or("nothing".to_owned(), |text| format!("{text:?}"));
                let name = &key.value;
                let what = format!("kept: {name:?}: expected {wanted}, found {found}");
                self.report(&key.at, what);
            }
        }
        let dead_letters = expected.dead_letters.as_ref();
        self.same("dead_letters", dead_letters, Some(&did.dead_letters));
        self.same("spooled", expected.spooled.as_ref(), Some(&did.spooled));
    }

    fn query(&mut self, query: &QueryExpected, found: &str) {
        let expected = text_of_expected(&query.rows);
        let what = format!("query: expected {expected}, found {found}");
        self.report(&query.at, what);
    }

    fn store_calls(&mut self, at: &At, expected: &[StoreExpected], found: &[&StoreCall]) {
        for (expected, found) in expected.iter().zip(found) {
            let statement = expected.statement.as_deref().unwrap_or_default();
            let is_same = expected.pool == found.pool
                && spaced(&found.statement).contains(&spaced(statement));
            if !is_same {
                let what = format!(
                    "store: expected {:?} on pool {}, found {:?} on pool {}",
                    spaced(statement),
                    expected.pool,
                    spaced(&found.statement),
                    found.pool
                );
                self.report(&expected.at, what);
            }
            if let Some(rows) = &expected.rows
                && !match_rows(rows, &found.rows)
            {
                let what = format!(
                    "store: expected the rows {}, found {}",
                    text_of_expected(rows),
                    text_of_found(&found.rows)
                );
                self.report(&expected.at, what);
            }
        }
        if expected.len() != found.len() {
            let more = found
                .get(expected.len())
                .map(|call| spaced(&call.statement));
            let more = more.map_or(String::new(), |more| {
                format!("; the first more is {more:?}")
            });
            let (expected, found) = (expected.len(), found.len());
            let what = format!("store: expected {expected} calls, found {found}{more}");
            self.report(at, what);
        }
    }

    fn broker_calls(&mut self, at: &At, expected: &[CallExpected], found: &[&Asked]) {
        for (expected, found) in expected.iter().zip(found) {
            if !is_asked(expected, found) {
                let what = format!("expected {}, found {found}", text_of_call(expected));
                self.report(&expected.at, what);
            }
        }
        if expected.len() != found.len() {
            let more = found.get(expected.len());
            let more = more.map_or(String::new(), |more| format!("; the first more is {more}"));
            let (expected, found) = (expected.len(), found.len());
            let what = format!("expected {expected} calls of the broker, found {found}{more}");
            self.report(at, what);
        }
    }

    /// Requests to nobody: the fixture has to say what they are answered.
    fn unanswered(&mut self, events: &[Event], did: &Did) {
        let Some(event) = events.first() else { return };
        for call in &did.http {
            if let Some(hint) = &call.unanswered {
                let what = format!("http: nothing answers {call}; {hint}");
                self.report(&event.at, what);
            }
        }
    }

    fn http_calls(&mut self, at: &At, expected: &[HttpExpected], found: &[&HttpCall]) {
        for (expected, found) in expected.iter().zip(found) {
            if !is_sent(expected, found) {
                let what = format!("http: expected {expected}, found {found}");
                self.report(&expected.at, what);
            }
            let sent = &found.request.headers;
            for header in &expected.headers {
                let is_there = |(name, value): &&(String, String)| {
                    name.eq_ignore_ascii_case(&header.0) && *value == header.1
                };
                if !sent.iter().any(|header| is_there(&header)) {
                    let (name, value) = header;
                    let what = format!("http: expected the header {name}: {value}, found {sent:?}");
                    self.report(&expected.at, what);
                }
            }
        }
        if expected.len() != found.len() {
            let more = found.get(expected.len());
            let more = more.map_or(String::new(), |more| format!("; the first more is {more}"));
            let (expected, found) = (expected.len(), found.len());
            let what = format!("http: expected {expected} requests, found {found}{more}");
            self.report(at, what);
        }
    }

    fn log(&mut self, expected: &[Located<String>], found: &[&str]) {
        let mut lines = found.iter();
        for text in expected {
            if !lines.any(|line| line.contains(&text.value)) {
                let found = if found.is_empty() {
                    "nothing".to_owned()
                } else {
                    found.join(" | ")
                };
                let what = format!("log: expected a line with {:?}, found {found}", text.value);
                return self.report(&text.at, what);
            }
        }
    }
}

fn figure(metric: &Metric) -> f64 {
    match metric {
        Metric::Counter(count) => *count as f64,
        Metric::Gauge(value) => *value,
        Metric::Histogram { buckets, .. } => buckets.iter().sum::<u64>() as f64,
    }
}

/// Runs of white space as one space, so that a statement may be written over
/// several lines.
fn spaced(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_asked(expected: &CallExpected, found: &Asked) -> bool {
    fn holds<T: PartialEq>(expected: Option<&T>, found: Option<&T>) -> bool {
        expected.is_none() || expected == found
    }
    let qos = expected.qos.map(QoS::as_u8);
    expected.call == found.call
        && holds(expected.clientid.as_ref(), found.clientid.as_ref())
        && holds(expected.topic.as_ref(), found.topic.as_ref())
        && holds(expected.payload.as_ref(), found.payload.as_ref())
        && holds(qos.as_ref(), found.qos.as_ref())
        && holds(expected.retain.as_ref(), found.retain.as_ref())
        && holds(
            expected.user_properties.as_ref(),
            found.user_properties.as_ref(),
        )
        && holds(expected.reason_code.as_ref(), found.reason_code.as_ref())
}

fn is_sent(expected: &HttpExpected, found: &HttpCall) -> bool {
    let request = &found.request;
    expected.method.eq_ignore_ascii_case(&request.method)
        && expected.url == request.url
        && (expected.body.as_ref()).is_none_or(|body| *body == request.body)
}

fn text_of_call(expected: &CallExpected) -> Asked {
    Asked {
        call: expected.call,
        clientid: expected.clientid.clone(),
        topic: expected.topic.clone(),
        payload: expected.payload.clone(),
        qos: expected.qos.map(QoS::as_u8),
        ..Asked::default()
    }
}
