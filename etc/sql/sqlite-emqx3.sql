-- The emqx3 tables in SQLite, as the module `sqlite` writes them.
--
-- Tables, columns and unique keys are those of the MySQL layout. What differs:
--   * Times are text, `2016-11-15 09:40:40`, in UTC.
--   * `state` is text as there: '1' online, '0' offline.
--   * SQLite does not enforce lengths such as varchar(64), so none are written.
--   * AUTOINCREMENT: an id is never given twice, even after rows are deleted,
--     because read positions point at ids.
--   * An index name is unique in the whole database, not in its table: the
--     layout's `topic_index` of each table carries the table's name in front.
--
-- Every statement may run again on a database that has the tables.

CREATE TABLE IF NOT EXISTS mqtt_client (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  clientid   TEXT DEFAULT NULL,
  state      TEXT DEFAULT NULL,
  node       TEXT DEFAULT NULL,
  online_at  TEXT DEFAULT NULL,
  offline_at TEXT DEFAULT NULL,
  created    TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS mqtt_client_idx ON mqtt_client (clientid);
CREATE UNIQUE INDEX IF NOT EXISTS mqtt_client_key ON mqtt_client (clientid);
CREATE INDEX IF NOT EXISTS mqtt_client_topic_index ON mqtt_client (id, clientid);

CREATE TABLE IF NOT EXISTS mqtt_sub (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  clientid TEXT DEFAULT NULL,
  topic    TEXT DEFAULT NULL,
  qos      INTEGER DEFAULT NULL,
  created  TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS mqtt_sub_idx ON mqtt_sub (clientid, topic, qos);
CREATE UNIQUE INDEX IF NOT EXISTS mqtt_sub_key ON mqtt_sub (clientid, topic);
CREATE INDEX IF NOT EXISTS mqtt_sub_topic_index ON mqtt_sub (id, topic);

CREATE TABLE IF NOT EXISTS mqtt_msg (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  msgid   TEXT DEFAULT NULL,
  topic   TEXT NOT NULL,
  sender  TEXT DEFAULT NULL,
  node    TEXT DEFAULT NULL,
  qos     INTEGER NOT NULL DEFAULT 0,
  retain  INTEGER DEFAULT NULL,
  payload BLOB,
  arrived TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mqtt_msg_topic_index ON mqtt_msg (id, topic);

CREATE TABLE IF NOT EXISTS mqtt_retain (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  topic   TEXT DEFAULT NULL,
  msgid   TEXT DEFAULT NULL,
  sender  TEXT DEFAULT NULL,
  node    TEXT DEFAULT NULL,
  qos     INTEGER DEFAULT NULL,
  payload BLOB,
  arrived TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX IF NOT EXISTS mqtt_retain_key ON mqtt_retain (topic);
CREATE INDEX IF NOT EXISTS mqtt_retain_topic_index ON mqtt_retain (id, topic);

CREATE TABLE IF NOT EXISTS mqtt_acked (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  clientid TEXT DEFAULT NULL,
  topic    TEXT DEFAULT NULL,
  mid      INTEGER DEFAULT NULL,
  created  TEXT DEFAULT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS mqtt_acked_key ON mqtt_acked (clientid, topic);
CREATE INDEX IF NOT EXISTS mqtt_acked_topic_index ON mqtt_acked (id, topic);
