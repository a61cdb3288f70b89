CREATE TABLE IF NOT EXISTS spool (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  rule       TEXT NOT NULL,
  clientid   TEXT NOT NULL,
  event      TEXT NOT NULL,
  written_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS spool_order ON spool (rule, clientid, id);
CREATE TABLE IF NOT EXISTS dead_letters (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  rule       TEXT NOT NULL,
  module     TEXT NOT NULL,
  generation INTEGER NOT NULL,
  clientid   TEXT NOT NULL,
  event      TEXT NOT NULL,
  code       TEXT NOT NULL,
  message    TEXT NOT NULL,
  written_ms INTEGER NOT NULL
);
