//! Stock module: presence and messages into SQLite.
