//! Times as the tables hold them: `2016-11-15 09:40:40`, UTC, text.

/// A time, formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime([u8; 19]);

impl DateTime {
    /// From milliseconds since the Unix epoch; the fraction is cut off. Times
    /// after the year 9999 become its last second.
    pub(crate) fn from_unix_ms(at_ms: u64) -> Self {
        const LAST: u64 = 253_402_300_799;
        let seconds = (at_ms / 1000).min(LAST);
        let (year, month, day) = civil(seconds / 86_400);
        let second_of_day = seconds % 86_400;
        let mut text = *b"0000-00-00 00:00:00";
        write_number(&mut text[0..4], year);
        write_number(&mut text[5..7], month);
        write_number(&mut text[8..10], day);
        write_number(&mut text[11..13], second_of_day / 3600);
        write_number(&mut text[14..16], second_of_day / 60 % 60);
        write_number(&mut text[17..19], second_of_day % 60);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Digits and separators only, so the text is always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn write_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant's
/// `civil_from_days` for days that are not negative.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let era = day / 146_097;
    let day_of_era = day % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::DateTime;

    #[test]
    fn formats_as_utc() {
        let check = |at_ms, expected| {
            assert_eq!(DateTime::from_unix_ms(at_ms).as_str(), expected);
        };
        check(0, "1970-01-01 00:00:00");
        check(999, "1970-01-01 00:00:00");
        check(951_782_399_000, "2000-02-28 23:59:59");
        check(951_782_400_000, "2000-02-29 00:00:00");
        check(951_868_800_000, "2000-03-01 00:00:00");
        check(1_479_202_840_123, "2016-11-15 09:40:40");
        check(1_735_689_599_000, "2024-12-31 23:59:59");
        check(4_107_542_400_000, "2100-03-01 00:00:00");
        check(253_402_300_799_000, "9999-12-31 23:59:59");
        check(u64::MAX, "9999-12-31 23:59:59");
    }
}
