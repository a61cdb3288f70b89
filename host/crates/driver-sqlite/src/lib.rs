//! The SQLite driver: one merging writer.
