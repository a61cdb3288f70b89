//! How large a database is.

use sqlx::SqliteConnection;

/// Pages of the database, those of them that are free, and bytes of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    pub(crate) count: u64,
    pub(crate) free: u64,
    pub(crate) bytes: u64,
}

impl Pages {
    pub(crate) async fn of(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut read = async |pragma: &'static str| -> Result<u64, sqlx::Error> {
            let number: i64 = sqlx::query_scalar(pragma)
                .fetch_one(&mut *connection)
                .await?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        Ok(Self {
            count: read("PRAGMA page_count").await?,
            free: read("PRAGMA freelist_count").await?,
            bytes: read("PRAGMA page_size").await?,
        })
    }

    /// Bytes of pages that hold something.
    pub(crate) fn used_bytes(self) -> u64 {
        self.count.saturating_sub(self.free) * self.bytes
    }
}
