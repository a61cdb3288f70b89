//! What an administrator asks of a store, beside whatever uses it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What the questions return.
pub type AdminFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, AdminError>> + Send + 'a>>;

/// A store as its administrator sees it: the tables that the stock module of its kind
/// needs, and what is in them. One is made for each command, and has no pool.
pub trait StoreAdmin: Send + Sync {
    /// Makes what is missing, and changes nothing that is there; all of it or nothing.
    /// One line for each thing that was made; none where all was there.
    ///
    /// # Errors
    /// Why nothing was made.
    fn init(&self) -> AdminFuture<'_, Vec<String>>;

    /// What is different from what is needed; nothing where the store serves. Changes
    /// nothing, and may run beside a broker.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn check(&self, depth: CheckDepth) -> AdminFuture<'_, Vec<Difference>>;

    /// What is in the store. Changes nothing, and may run beside a broker.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn stats(&self) -> AdminFuture<'_, StoreStats>;
}

/// How closely the content of a store is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDepth {
    /// Whether it can be read.
    Quick,
    /// Also whether its indexes say the same as its tables, which takes several times
    /// as long.
    Full,
}

/// One thing that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Why a question has no answer: what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AdminError(pub String);

/// What is in a store, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Where it is: a file, or an address.
    pub location: String,
    /// Its tables, by name; those of others among them.
    pub tables: Vec<TableStats>,
    /// The message that was stored first.
    pub oldest: Option<StoredMessage>,
    /// The message that was stored last.
    pub newest: Option<StoredMessage>,
    /// Sessions whose client is connected to a broker.
    pub sessions_online: u64,
    /// Sessions whose client is away.
    pub sessions_away: u64,
    /// Read positions: one for each client, topic and publisher.
    pub positions: u64,
    /// What else is told of stores of this kind, such as `file_bytes`.
    pub figures: Vec<(&'static str, u64)>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// Bytes that it takes with its indexes; `None` where the store does not say.
    pub bytes: Option<u64>,
}

/// A message of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Number of its row.
    pub id: i64,
    /// When the broker took it, as the table has it: UTC.
    pub arrived: String,
}
