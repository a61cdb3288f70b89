//! Durations, as options write them.

use std::time::Duration;

/// Reads `250ms`, `30s`, `5m`, `2h`, `7d`. Runs in constants too, where it
/// checks defaults.
pub(super) const fn duration(text: &str) -> Option<Duration> {
    let text = text.as_bytes();
    let mut number: u64 = 0;
    let mut place = 0;
    while place < text.len() && text[place].is_ascii_digit() {
        let Some(tens) = number.checked_mul(10) else {
            return None;
        };
        // A digit is 0 to 9, so that it is a `u64` whatever the cast does.
        #[allow(clippy::cast_lossless, reason = "`u64::from` is not constant")]
        let digit = (text[place] - b'0') as u64;
        let Some(sum) = tens.checked_add(digit) else {
            return None;
        };
        number = sum;
        place += 1;
    }
    if place == 0 {
        return None;
    }
    let unit_ms: u64 = match text.split_at(place).1 {
        b"ms" => 1,
        b"s" => 1_000,
        b"m" => 60_000,
        b"h" => 3_600_000,
        b"d" => 86_400_000,
        _ => return None,
    };
    match number.checked_mul(unit_ms) {
        Some(ms) => Some(Duration::from_millis(ms)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(
                duration(text),
                expected.map(Duration::from_millis),
                "{text}"
            );
        };
        check("250ms", Some(250));
        check("30s", Some(30_000));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check("7d", Some(604_800_000));
        check("2", None);
        check("h", None);
        check("", None);
        check("-1s", None);
        check("1 s", None);
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }
}
