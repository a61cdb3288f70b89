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
--   * What these tables cannot hold stands in side tables, `hookwire_*`.
--
-- Every statement may run again on a database that has the tables.

-- Which schema the tables have. A database with another one is not touched: the
-- name of the constraint is what the error says.
CREATE TABLE IF NOT EXISTS hookwire_meta AS SELECT 'schema' AS name, 1 AS value;
CREATE UNIQUE INDEX IF NOT EXISTS hookwire_meta_key ON hookwire_meta (name);
CREATE TEMP TABLE hookwire_schema (
  schema INTEGER CONSTRAINT "the database has the tables of another version; this one knows schema 1"
    CHECK (schema = 1)
);
INSERT INTO temp.hookwire_schema SELECT value FROM hookwire_meta WHERE name = 'schema';
DROP TABLE temp.hookwire_schema;

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

-- Indexes that reading by topic and by message id needs.
CREATE INDEX IF NOT EXISTS hookwire_msg_topic ON mqtt_msg (topic);
CREATE INDEX IF NOT EXISTS hookwire_msg_msgid ON mqtt_msg (msgid);

-- What MQTT 5 adds to a message of mqtt_msg or mqtt_retain, for those that have
-- any: when it expires, in milliseconds since the Unix epoch, its user properties
-- as JSON, [["name","value"],...], and others likewise: content-type,
-- response-topic, correlation-data (Base64), payload-format.
CREATE TABLE IF NOT EXISTS hookwire_msg (
  msgid         TEXT PRIMARY KEY NOT NULL,
  expires_at_ms INTEGER DEFAULT NULL,
  properties    TEXT DEFAULT NULL,
  others        TEXT DEFAULT NULL
);

-- Indexes that removing what is past its time needs.
CREATE INDEX IF NOT EXISTS hookwire_msg_expiry ON hookwire_msg (expires_at_ms)
  WHERE expires_at_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS hookwire_retain_msgid ON mqtt_retain (msgid);

-- Where each subscription that fetches began: the newest row of mqtt_msg there was
-- then. What is read lies behind it, and behind the position of its topic.
CREATE TABLE IF NOT EXISTS hookwire_floor (
  clientid TEXT NOT NULL,
  filter   TEXT NOT NULL,
  mid      INTEGER NOT NULL,
  PRIMARY KEY (clientid, filter)
);

-- How far a client has acknowledged what each publisher stored on a topic. Two
-- publishers' messages may reach a client in another order than that of their rows,
-- so that to have acknowledged the one's says nothing of the other's. The newest of
-- them stands in mqtt_acked; where a row of that is deleted, these go with it.
CREATE TABLE IF NOT EXISTS hookwire_acked (
  clientid TEXT NOT NULL,
  topic    TEXT NOT NULL,
  sender   TEXT NOT NULL,
  mid      INTEGER NOT NULL,
  PRIMARY KEY (clientid, topic, sender)
) WITHOUT ROWID;

-- A position that was in mqtt_acked before the first of these: it counts for
-- publishers that have none here.
CREATE TABLE IF NOT EXISTS hookwire_acked_before (
  clientid TEXT NOT NULL,
  topic    TEXT NOT NULL,
  mid      INTEGER NOT NULL,
  PRIMARY KEY (clientid, topic)
) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS hookwire_acked_first BEFORE INSERT ON hookwire_acked
WHEN NOT EXISTS
  (SELECT 1 FROM hookwire_acked WHERE clientid = new.clientid AND topic = new.topic)
BEGIN
  INSERT INTO hookwire_acked_before (clientid, topic, mid)
    SELECT clientid, topic, mid FROM mqtt_acked
    WHERE clientid = new.clientid AND topic = new.topic AND mid IS NOT NULL
    ON CONFLICT (clientid, topic) DO UPDATE SET mid = excluded.mid;
END;

CREATE TRIGGER IF NOT EXISTS hookwire_acked_made AFTER INSERT ON hookwire_acked
BEGIN
  INSERT INTO mqtt_acked (clientid, topic, mid) VALUES (new.clientid, new.topic, new.mid)
    ON CONFLICT (clientid, topic) DO UPDATE SET mid = excluded.mid
    WHERE mqtt_acked.mid IS NULL OR mqtt_acked.mid < excluded.mid;
END;

CREATE TRIGGER IF NOT EXISTS hookwire_acked_moved AFTER UPDATE OF mid ON hookwire_acked
BEGIN
  INSERT INTO mqtt_acked (clientid, topic, mid) VALUES (new.clientid, new.topic, new.mid)
    ON CONFLICT (clientid, topic) DO UPDATE SET mid = excluded.mid
    WHERE mqtt_acked.mid IS NULL OR mqtt_acked.mid < excluded.mid;
END;

CREATE TRIGGER IF NOT EXISTS hookwire_acked_gone AFTER DELETE ON mqtt_acked
BEGIN
  DELETE FROM hookwire_acked WHERE clientid = old.clientid AND topic = old.topic;
  DELETE FROM hookwire_acked_before WHERE clientid = old.clientid AND topic = old.topic;
END;

-- Subscriptions that clients made, with their options. `mqtt_sub_id` is the row
-- of mqtt_sub that was written for it; NULL where a business server's row for
-- the same topic was there first. Rows without this mark are never changed here.
CREATE TABLE IF NOT EXISTS hookwire_sub (
  clientid            TEXT NOT NULL,
  topic               TEXT NOT NULL,
  qos                 INTEGER NOT NULL,
  no_local            INTEGER NOT NULL DEFAULT 0,
  retain_as_published INTEGER NOT NULL DEFAULT 0,
  retain_handling     INTEGER NOT NULL DEFAULT 0,
  identifier          INTEGER DEFAULT NULL,
  mqtt_sub_id         INTEGER DEFAULT NULL,
  created             TEXT DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (clientid, topic)
);

CREATE TRIGGER IF NOT EXISTS hookwire_sub_made AFTER INSERT ON hookwire_sub
WHEN NOT EXISTS (SELECT 1 FROM mqtt_sub WHERE clientid = new.clientid AND topic = new.topic)
BEGIN
  INSERT INTO mqtt_sub (clientid, topic, qos) VALUES (new.clientid, new.topic, new.qos);
  UPDATE hookwire_sub SET mqtt_sub_id =
    (SELECT id FROM mqtt_sub WHERE clientid = new.clientid AND topic = new.topic)
    WHERE clientid = new.clientid AND topic = new.topic;
END;

CREATE TRIGGER IF NOT EXISTS hookwire_sub_changed AFTER UPDATE OF qos ON hookwire_sub
BEGIN
  UPDATE mqtt_sub SET qos = new.qos
    WHERE id = new.mqtt_sub_id AND clientid = new.clientid AND topic = new.topic;
END;

-- A business server deleted the row, and the client subscribes again.
CREATE TRIGGER IF NOT EXISTS hookwire_sub_made_again AFTER UPDATE OF qos ON hookwire_sub
WHEN NOT EXISTS (SELECT 1 FROM mqtt_sub WHERE clientid = new.clientid AND topic = new.topic)
BEGIN
  INSERT INTO mqtt_sub (clientid, topic, qos) VALUES (new.clientid, new.topic, new.qos);
  UPDATE hookwire_sub SET mqtt_sub_id =
    (SELECT id FROM mqtt_sub WHERE clientid = new.clientid AND topic = new.topic)
    WHERE clientid = new.clientid AND topic = new.topic;
END;

CREATE TRIGGER IF NOT EXISTS hookwire_sub_ended AFTER DELETE ON hookwire_sub
BEGIN
  DELETE FROM mqtt_sub
    WHERE id = old.mqtt_sub_id AND clientid = old.clientid AND topic = old.topic;
END;

-- Sessions that outlive their connection: until when, in milliseconds since the
-- Unix epoch; NULL while the client is connected to the node. An expiry interval
-- of 4294967295 seconds is for ever.
CREATE TABLE IF NOT EXISTS hookwire_session (
  clientid   TEXT PRIMARY KEY NOT NULL,
  node       TEXT NOT NULL,
  expiry_s   INTEGER NOT NULL,
  ends_at_ms INTEGER DEFAULT NULL,
  created    TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS hookwire_session_end ON hookwire_session (ends_at_ms)
  WHERE ends_at_ms IS NOT NULL;

-- QoS 2 exchanges of those sessions. `in`: the client's publish with this packet
-- id was taken (`received`), if its message is stored. `out`: the message is
-- `sent`, `received` or, while the position is before it, `completed`.
CREATE TABLE IF NOT EXISTS hookwire_exchange (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  clientid  TEXT NOT NULL,
  direction TEXT NOT NULL,
  packet_id INTEGER NOT NULL,
  msgid     TEXT NOT NULL,
  state     TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS hookwire_exchange_key
  ON hookwire_exchange (clientid, direction, packet_id, msgid);

-- A row that is inserted here ends a session: what it leaves goes with it. Nothing
-- is kept.
CREATE VIEW IF NOT EXISTS hookwire_ended AS SELECT clientid FROM hookwire_session WHERE 0;

CREATE TRIGGER IF NOT EXISTS hookwire_session_ended INSTEAD OF INSERT ON hookwire_ended
BEGIN
  DELETE FROM hookwire_sub WHERE clientid = new.clientid;
  DELETE FROM hookwire_floor WHERE clientid = new.clientid;
  DELETE FROM mqtt_acked WHERE clientid = new.clientid;
  DELETE FROM hookwire_exchange WHERE clientid = new.clientid;
  DELETE FROM hookwire_session WHERE clientid = new.clientid;
END;

-- The newest deletion of each topic's retained message, so that an older one
-- which is stored late does not come back. Message ids sort by time; what is
-- not one of them counts as older.
CREATE TABLE IF NOT EXISTS hookwire_retain_deleted (
  topic TEXT PRIMARY KEY NOT NULL,
  msgid TEXT NOT NULL
);

CREATE TRIGGER IF NOT EXISTS hookwire_retain_deleted_first AFTER INSERT ON hookwire_retain_deleted
BEGIN
  DELETE FROM mqtt_retain WHERE topic = new.topic AND (msgid IS NULL OR length(msgid) <> 20
    OR msgid GLOB '*[^0-9A-Za-z]*' OR msgid < new.msgid);
END;

CREATE TRIGGER IF NOT EXISTS hookwire_retain_deleted_again
AFTER UPDATE OF msgid ON hookwire_retain_deleted
BEGIN
  DELETE FROM mqtt_retain WHERE topic = new.topic AND (msgid IS NULL OR length(msgid) <> 20
    OR msgid GLOB '*[^0-9A-Za-z]*' OR msgid < new.msgid);
END;
