//! Which topics there are, and what each is told.

use std::fmt::Display;

use super::load::Loads;
use crate::counters::Counters;
use crate::inspect::Holdings;

/// Everything that is spoken of, at one moment.
pub(super) struct Report<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) uptime_s: u64,
    pub(super) wall_ms: u64,
    pub(super) counters: &'a Counters,
    pub(super) holdings: Holdings,
    pub(super) most_online: usize,
    /// Retained messages, and their bytes.
    pub(super) retained: (usize, usize),
    pub(super) routes: usize,
    pub(super) loads: &'a Loads,
}

/// Topics and texts.
pub(super) fn all(report: &Report<'_>) -> Vec<(String, String)> {
    let mut told = Vec::with_capacity(100);
    of_mosquitto(report, &mut told);
    of_emqx(report, &mut told);
    told
}

/// `$SYS/broker/...`, as mosquitto(8) lists them.
fn of_mosquitto(report: &Report<'_>, told: &mut Vec<(String, String)>) {
    let (counters, holdings) = (report.counters, report.holdings);
    let mut tell = |end: &str, value: &dyn Display| {
        told.push((format!("$SYS/broker/{end}"), value.to_string()));
    };
    tell(
        "version",
        &format_args!("hookwire version {}", report.version),
    );
    tell("uptime", &format_args!("{} seconds", report.uptime_s));
    tell("clients/connected", &holdings.online);
    tell(
        "clients/disconnected",
        &(holdings.sessions - holdings.online),
    );
    tell("clients/total", &holdings.sessions);
    tell("clients/maximum", &report.most_online);
    tell("clients/expired", &counters.sessions_expired);
    tell("subscriptions/count", &holdings.subscriptions);
    tell("shared_subscriptions/count", &holdings.shared_subscriptions);
    tell("retained messages/count", &report.retained.0);
    let stored = report.retained.0 + holdings.inflight + holdings.queued;
    tell("store/messages/count", &stored);
    let stored_bytes = report.retained.1 + holdings.queued_bytes;
    tell("store/messages/bytes", &stored_bytes);
    tell("messages/stored", &stored);
    tell("messages/inflight", &holdings.inflight);
    tell("messages/received", &counters.packets_received);
    tell("messages/sent", &counters.packets_sent);
    tell("publish/messages/received", &counters.publishes_received);
    tell("publish/messages/sent", &counters.publishes_sent);
    tell("publish/messages/dropped", &counters.deliveries_dropped());
    tell("publish/bytes/received", &counters.payload_bytes_received);
    tell("publish/bytes/sent", &counters.payload_bytes_sent);
    tell("bytes/received", &counters.bytes_received);
    tell("bytes/sent", &counters.bytes_sent);
    for (end, average) in report.loads.named() {
        tell(&format!("load/{end}"), &format_args!("{average:.2}"));
    }
}

/// `$SYS/brokers/NODE/...`, as EMQX has them.
fn of_emqx(report: &Report<'_>, told: &mut Vec<(String, String)>) {
    told.push(("$SYS/brokers".to_owned(), report.name.to_owned()));
    let (counters, holdings) = (report.counters, report.holdings);
    let mut tell = |end: &str, value: &dyn Display| {
        told.push((
            format!("$SYS/brokers/{}/{end}", report.name),
            value.to_string(),
        ));
    };
    tell("version", &report.version);
    tell("uptime", &report.uptime_s);
    tell("datetime", &utc(report.wall_ms / 1_000));
    tell("sysdescr", &"Hookwire");
    let stats: [(&str, usize); 12] = [
        ("connections/count", holdings.online),
        ("connections/max", report.most_online),
        ("sessions/count", holdings.sessions),
        ("subscriptions/count", holdings.subscriptions),
        ("subscriptions/shared/count", holdings.shared_subscriptions),
        ("topics/count", report.routes),
        ("retained/count", report.retained.0),
        ("retained/bytes", report.retained.1),
        ("delayed/count", holdings.delayed),
        ("inflight/count", holdings.inflight),
        ("queued/count", holdings.queued),
        ("queued/bytes", holdings.queued_bytes),
    ];
    for (end, value) in stats {
        tell(&format!("stats/{end}"), &value);
    }
    let metrics: [(&str, u64); 21] = [
        ("bytes/received", counters.bytes_received),
        ("bytes/sent", counters.bytes_sent),
        ("packets/received", counters.packets_received),
        ("packets/sent", counters.packets_sent),
        ("messages/received", counters.publishes_received),
        ("messages/sent", counters.publishes_sent),
        ("messages/retransmitted", counters.publishes_sent_again),
        ("messages/dropped", counters.deliveries_dropped()),
        ("messages/delayed", counters.messages_delayed),
        ("delivery/dropped/queue_full", counters.dropped_queue_full),
        ("delivery/dropped/output_full", counters.dropped_output_full),
        ("delivery/dropped/offline", counters.dropped_offline),
        ("delivery/dropped/no_member", counters.dropped_no_member),
        ("delivery/dropped/expired", counters.deliveries_expired),
        ("delivery/dropped/too_large", counters.deliveries_too_large),
        ("delivery/dropped/rule", counters.deliveries_dropped_by_rule),
        ("client/connected", counters.connections_accepted),
        ("client/refused", counters.connections_refused),
        ("session/takenover", counters.takeovers),
        ("session/terminated", counters.sessions_expired),
        (
            "client/protocol_errors",
            counters.protocol_errors.values().sum(),
        ),
    ];
    for (end, value) in metrics {
        tell(&format!("metrics/{end}"), &value);
    }
}

/// A time in seconds since the Unix epoch as `2026-11-24 18:23:01`.
fn utc(epoch_s: u64) -> String {
    let (days, second) = (epoch_s / 86_400, epoch_s % 86_400);
    // Howard Hinnant's civil_from_days, for days since the epoch: years begin in March.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_calendars_have_them() {
        let check = |epoch_s, expected| assert_eq!(utc(epoch_s), expected);
        check(0, "1970-01-01 00:00:00");
        check(951_782_399, "2000-02-28 23:59:59");
        check(951_782_400, "2000-02-29 00:00:00");
        check(1_709_164_800, "2024-02-29 00:00:00");
        check(1_795_544_581, "2026-11-24 18:23:01");
        check(4_107_542_400, "2100-03-01 00:00:00");
    }

    #[test]
    fn every_topic_is_a_topic_and_there_once() {
        let told = all(&Report {
            name: "node@host",
            version: "1",
            uptime_s: 1,
            wall_ms: 0,
            counters: &Counters::default(),
            holdings: Holdings::default(),
            most_online: 0,
            retained: (0, 0),
            routes: 0,
            loads: &Loads::default(),
        });
        let mut topics: Vec<_> = told.iter().map(|(topic, _)| topic).collect();
        assert!(
            topics
                .iter()
                .all(|topic| hookwire_mqtt::TopicName::new(topic).is_ok())
        );
        topics.sort();
        let count = topics.len();
        topics.dedup();
        assert_eq!(topics.len(), count);
        assert!(count > 70, "{count}");
    }
}
