//! Times of the tables, read back.

/// Milliseconds since the Unix epoch of a time as the tables hold it; a fraction
/// of a second behind it is passed over.
pub(crate) fn unix_ms(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hours, minutes, seconds) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    Some((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)
}

/// Days since 1970-01-01: Howard Hinnant's `days_from_civil` for years from then on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let era = year / 400;
    let year_of_era = year % 400;
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::unix_ms;
    use crate::datetime::DateTime;

    #[test]
    fn reads_what_is_written() {
        for at_s in [
            0,
            951_782_399,
            951_782_400,
            951_868_800,
            1_479_202_840,
            253_402_300_799,
        ] {
            let text = DateTime::from_unix_ms(at_s * 1000);
            assert_eq!(unix_ms(text.as_str()), Some(at_s * 1000), "{at_s}");
        }
        let with_fraction = unix_ms("2016-11-15 09:40:40.123456");
        assert_eq!(with_fraction, Some(1_479_202_840_000));
        for other in [
            "",
            "1969-12-31 23:59:59",
            "2016-13-15 09:40:40",
            "2016-11-15",
        ] {
            assert_eq!(unix_ms(other), None, "{other}");
        }
    }
}
