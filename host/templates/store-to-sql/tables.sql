CREATE TABLE IF NOT EXISTS readings (
  id      INTEGER PRIMARY KEY,
  topic   TEXT    NOT NULL,
  device  TEXT    NOT NULL,
  value   REAL    NOT NULL,
  at_ms   INTEGER NOT NULL
);
