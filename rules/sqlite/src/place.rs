//! Ids for rows of `mqtt_msg` that another writer gave none: the number of the row.

const MARK: char = '#';

/// The id of a row without one.
pub(crate) fn write(number: i64) -> String {
    format!("{MARK}{number}")
}

/// The row that [`write`] made the id of, if it did.
pub(crate) fn read(id: &str) -> Option<i64> {
    id.strip_prefix(MARK)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        for number in [0, 7, i64::MAX] {
            assert_eq!(read(&write(number)), Some(number));
        }
        for other in ["2PguFrHsrzEvIIBdctmb", "7", "#", "#7a", "##7", ""] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
