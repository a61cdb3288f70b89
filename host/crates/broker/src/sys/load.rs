//! Rates a minute, averaged over 1, 5 and 15 minutes, the recent ones more.

use crate::counters::Counters;

/// The averages of several counts.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    last: Option<(u64, [u64; COUNTS])>,
    averages: [[f64; PERIODS_MIN.len()]; COUNTS],
}

const PERIODS_MIN: [u32; 3] = [1, 5, 15];
const COUNTS: usize = 8;

const NAMES: [&str; COUNTS] = [
    "messages/received",
    "messages/sent",
    "publish/received",
    "publish/sent",
    "publish/dropped",
    "bytes/received",
    "bytes/sent",
    "connections",
];

impl Loads {
    /// Takes the counts at this time of the steady clock.
    pub(crate) fn take(&mut self, mono_ms: u64, counters: &Counters) {
        let counts = [
            counters.packets_received,
            counters.packets_sent,
            counters.publishes_received,
            counters.publishes_sent,
            counters.deliveries_dropped(),
            counters.bytes_received,
            counters.bytes_sent,
            counters.connections_accepted,
        ];
        if let Some((last_ms, last)) = self.last
            && mono_ms > last_ms
        {
            let minutes = (mono_ms - last_ms) as f64 / 60_000.0;
            for ((averages, count), before) in self.averages.iter_mut().zip(counts).zip(last) {
                let rate = count.saturating_sub(before) as f64 / minutes;
                for (average, period) in averages.iter_mut().zip(PERIODS_MIN) {
                    let kept = (-minutes / f64::from(period)).exp();
                    *average = *average * kept + rate * (1.0 - kept);
                }
            }
        }
        self.last = Some((mono_ms, counts));
    }

    /// Each average with the end of its topic, `messages/received/1min`.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        NAMES
            .iter()
            .zip(&self.averages)
            .flat_map(|(name, averages)| {
                let named = PERIODS_MIN.iter().zip(averages);
                named.map(move |(period, average)| (format!("{name}/{period}min"), *average))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_becomes_the_average_the_shorter_period_first() {
        let mut loads = Loads::default();
        let mut counters = Counters::default();
        let average = |loads: &Loads, name: &str| {
            let mut named = loads.named();
            named.find(|(known, _)| known == name).unwrap().1
        };
        for second in 0..=60_u64 {
            counters.publishes_received = 10 * second;
            loads.take(second * 1_000, &counters);
        }
        let [one, fifteen] =
            ["publish/received/1min", "publish/received/15min"].map(|name| average(&loads, name));
        assert!(
            (one - 600.0 * (1.0 - (-1.0_f64).exp())).abs() < 1.0,
            "{one}"
        );
        assert!(fifteen < one && fifteen > 0.0, "{fifteen}");
        for second in 61..=4_000_u64 {
            counters.publishes_received = 10 * second;
            loads.take(second * 1_000, &counters);
        }
        let settled = average(&loads, "publish/received/1min");
        assert!((settled - 600.0).abs() < 1.0, "{settled}");
        assert!(average(&loads, "bytes/sent/1min").abs() < f64::EPSILON);
    }
}
