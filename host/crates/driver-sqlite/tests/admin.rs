//! What an administrator asks of a file: what is made, what is different, what is in it.

use std::path::PathBuf;

use hookwire_driver::{CheckDepth, StoreAdmin as _, StoredMessage};
use hookwire_driver_sqlite::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

const SCHEMA: &str = include_str!("../../../../etc/sql/sqlite-emqx3.sql");

struct File {
    folder: TempDir,
    store: SqliteStore,
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    /// No file yet.
    fn none() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::new("main", folder.path().join("a.db"), SCHEMA);
        Self { folder, store }
    }

    /// With all that is needed.
    async fn whole() -> Self {
        let file = Self::none();
        file.store.init().await.expect("it is made");
        file
    }

    async fn run(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.path())
            .create_if_missing(true);
        let mut connection = options.connect().await.expect("it opens");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .expect("it runs");
        connection.close().await.expect("it closes");
    }

    async fn differences(&self) -> Vec<String> {
        let found = self
            .store
            .check(CheckDepth::Full)
            .await
            .expect("it is read");
        found.iter().map(ToString::to_string).collect()
    }
}

#[tokio::test]
async fn what_is_missing_is_made_once() {
    let file = File::none();
    let made = file.store.init().await.expect("it is made");
    for expected in [
        "table mqtt_msg",
        "index hookwire_msg_topic on mqtt_msg",
        "trigger hookwire_sub_made",
        "view hookwire_ended",
    ] {
        assert!(made.iter().any(|made| made == expected), "{made:?}");
    }
    assert_eq!(file.store.init().await, Ok(vec![]));
    assert_eq!(file.differences().await, [""; 0]);
}

#[tokio::test]
async fn tables_of_a_business_server_stay_as_they_are() {
    let file = File::none();
    // The columns of MySQL's layout, and some of its own.
    file.run(
        "CREATE TABLE mqtt_msg (id integer PRIMARY KEY AUTOINCREMENT, msgid varchar(64), \
            topic varchar(180) NOT NULL, sender varchar(64), node varchar(64), \
            qos tinyint NOT NULL DEFAULT 0, retain tinyint, payload blob, \
            arrived datetime NOT NULL, mine text NOT NULL DEFAULT 'x');
         CREATE INDEX theirs ON mqtt_msg (topic);
         CREATE TABLE orders (id integer PRIMARY KEY);
         INSERT INTO mqtt_msg (topic, arrived) VALUES ('t', '2016-11-15 09:40:40');",
    )
    .await;
    let missing = file.differences().await;
    assert!(
        missing.contains(&"table mqtt_sub is missing: `hookwire store init main` makes it".into()),
        "{missing:?}"
    );
    assert!(
        !missing.iter().any(|line| line.contains("mqtt_msg.")),
        "{missing:?}"
    );
    // An index of another name does as well.
    assert!(
        !missing
            .iter()
            .any(|line| line.contains("hookwire_msg_topic")),
        "{missing:?}"
    );
    let made = file.store.init().await.expect("it is made");
    assert!(!made.contains(&"table mqtt_msg".to_owned()), "{made:?}");
    assert_eq!(file.differences().await, [""; 0]);
    let stats = file.store.stats().await.expect("it is read");
    let oldest = StoredMessage {
        id: 1,
        arrived: "2016-11-15 09:40:40".to_owned(),
    };
    assert_eq!(
        (stats.oldest, stats.newest),
        (Some(oldest.clone()), Some(oldest))
    );
}

#[tokio::test]
async fn each_difference_is_told_with_what_to_do() {
    const INIT: &str = "`hookwire store init main` makes it";
    const COPY: &str = "rename the table, run `hookwire store init`, and copy its rows \
        (etc/sql/sqlite-emqx3.sql)";
    let check = async |change: &str, expected: &str| {
        let file = File::whole().await;
        file.run(change).await;
        assert_eq!(file.differences().await, [expected], "{change}");
    };
    check(
        "DROP TABLE hookwire_floor",
        &format!("table hookwire_floor is missing: {INIT}"),
    )
    .await;
    check(
        "DROP INDEX hookwire_msg_msgid",
        &format!("index hookwire_msg_msgid on mqtt_msg is missing: {INIT}"),
    )
    .await;
    check(
        "DROP TRIGGER hookwire_sub_made",
        &format!("trigger hookwire_sub_made is missing: {INIT}"),
    )
    .await;
    check(
        "DROP VIEW hookwire_ended; CREATE VIEW hookwire_ended AS SELECT clientid FROM hookwire_session; \
         CREATE TRIGGER hookwire_session_ended INSTEAD OF INSERT ON hookwire_ended BEGIN \
         DELETE FROM hookwire_sub WHERE clientid = new.clientid; \
         DELETE FROM hookwire_floor WHERE clientid = new.clientid; \
         DELETE FROM mqtt_acked WHERE clientid = new.clientid; \
         DELETE FROM hookwire_exchange WHERE clientid = new.clientid; \
         DELETE FROM hookwire_session WHERE clientid = new.clientid; END",
        &format!(
            "view hookwire_ended is another one than this version's: DROP VIEW hookwire_ended, \
             then {INIT}"
        ),
    )
    .await;
    check(
        "DROP INDEX mqtt_client_key; CREATE INDEX mqtt_client_key ON mqtt_client (clientid)",
        "index mqtt_client_key is another one: on mqtt_client (clientid); unique, on mqtt_client \
         (clientid) is needed: DROP INDEX mqtt_client_key, then `hookwire store init`",
    )
    .await;
    check(
        "ALTER TABLE mqtt_msg DROP COLUMN retain",
        "column mqtt_msg.retain is missing: ALTER TABLE mqtt_msg ADD COLUMN retain INTEGER DEFAULT NULL",
    )
    .await;
    check(
        "DROP TABLE hookwire_floor; CREATE TABLE hookwire_floor (clientid TEXT NOT NULL, \
         filter TEXT NOT NULL, mid varchar(20) NOT NULL, PRIMARY KEY (clientid, filter))",
        &format!("column hookwire_floor.mid holds TEXT (varchar(20)); INTEGER is needed: {COPY}"),
    )
    .await;
    check(
        "DROP TABLE hookwire_floor; CREATE TABLE hookwire_floor (clientid TEXT NOT NULL, \
         filter TEXT NOT NULL, mid INTEGER NOT NULL, mine TEXT NOT NULL, \
         PRIMARY KEY (clientid, filter))",
        "column hookwire_floor.mine may not be NULL, has no default, and is not written by the \
         broker: give it a default, or let it be NULL: no row can be stored as it is",
    )
    .await;
    check(
        "DROP TABLE mqtt_retain; CREATE TABLE mqtt_retain ( \
         id INTEGER PRIMARY KEY, topic TEXT, msgid TEXT, sender TEXT, node TEXT, qos INTEGER, \
         payload BLOB, arrived TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP); \
         CREATE UNIQUE INDEX mqtt_retain_key ON mqtt_retain (topic); \
         CREATE INDEX mqtt_retain_topic_index ON mqtt_retain (id, topic); \
         CREATE INDEX hookwire_retain_msgid ON mqtt_retain (msgid)",
        &format!(
            "table mqtt_retain has no AUTOINCREMENT: ids of deleted rows are given again, and \
             read positions point at ids: {COPY}"
        ),
    )
    .await;
    check(
        "UPDATE hookwire_meta SET value = 7; DROP TABLE mqtt_msg",
        "the tables are of another version: schema 7; this binary knows 1: run the binary that \
         made them, or give the pool another file",
    )
    .await;
}

#[tokio::test]
async fn a_schema_of_another_version_is_not_touched() {
    let file = File::whole().await;
    file.run("UPDATE hookwire_meta SET value = 7; DROP TABLE mqtt_msg")
        .await;
    let refused = file
        .store
        .init()
        .await
        .expect_err("it is refused")
        .to_string();
    assert!(refused.contains("a.db"), "{refused}");
    assert!(
        refused.contains("another version; this one knows schema 1"),
        "{refused}"
    );
    assert!(refused.contains("give the pool another file"), "{refused}");
    let tables = file.store.stats().await.expect("it is read").tables;
    assert!(tables.iter().all(|table| table.name != "mqtt_msg"));
}

#[tokio::test]
async fn what_is_in_it_is_counted() {
    let file = File::whole().await;
    file.run(
        "INSERT INTO mqtt_msg (topic, payload, arrived) VALUES
            ('t', zeroblob(100000), '2016-11-15 09:40:40'), ('t', 'x', '2016-11-15 09:40:41'),
            ('t', 'x', '2016-11-15 09:40:42');
         DELETE FROM mqtt_msg WHERE id = 1;
         INSERT INTO hookwire_session (clientid, node, expiry_s, ends_at_ms) VALUES
            ('a', 'n', 60, NULL), ('b', 'n', 60, 5), ('c', 'n', 60, 6);
         INSERT INTO hookwire_acked VALUES ('a', 't', 's', 2), ('a', 't', 'r', 2);",
    )
    .await;
    let stats = file.store.stats().await.expect("it is read");
    let message = |id, arrived: &str| {
        let arrived = arrived.to_owned();
        Some(StoredMessage { id, arrived })
    };
    assert_eq!(stats.oldest, message(2, "2016-11-15 09:40:41"));
    assert_eq!(stats.newest, message(3, "2016-11-15 09:40:42"));
    assert_eq!((stats.sessions_online, stats.sessions_away), (1, 2));
    assert_eq!(stats.positions, 2);
    assert_eq!(stats.location, file.path().display().to_string());
    let table = |name: &str| {
        let mut tables = stats.tables.iter();
        tables.find(|table| table.name == name).expect("it is told")
    };
    assert_eq!(table("mqtt_msg").rows, 2);
    assert_eq!(table("mqtt_acked").rows, 1);
    // Itself, its two keys and its index by id: a page each.
    assert_eq!(table("mqtt_client").bytes, Some(4 * 4096));
    let figure = |name: &str| {
        let mut figures = stats.figures.iter();
        figures
            .find(|(figure, _)| *figure == name)
            .expect("it is told")
            .1
    };
    assert_eq!(figure("page_bytes"), 4096);
    assert_eq!(figure("file_bytes"), figure("pages") * 4096);
    assert!(figure("free_pages") >= 24, "100,000 bytes were deleted");
    assert_eq!(
        figure("used_bytes"),
        figure("file_bytes") - figure("free_pages") * 4096
    );
}

#[tokio::test]
async fn a_damaged_page_is_found() {
    let file = File::whole().await;
    file.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
         INSERT INTO mqtt_msg (topic, payload, arrived) \
         SELECT 't', zeroblob(500), '2016-11-15 09:40:40' FROM n; \
         PRAGMA wal_checkpoint(TRUNCATE)",
    )
    .await;
    let mut bytes = std::fs::read(file.path()).expect("it is read");
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    std::fs::write(file.path(), bytes).expect("it is written");
    let found = file
        .store
        .check(CheckDepth::Quick)
        .await
        .expect("it is read");
    assert!(
        found[0].what.starts_with("the file is damaged: "),
        "{found:?}"
    );
    assert!(found[0].remedy.contains("backup"), "{found:?}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let file = File::none();
    let refused = file
        .store
        .stats()
        .await
        .expect_err("there is none")
        .to_string();
    assert!(
        refused.contains("`hookwire store init main` makes it"),
        "{refused}"
    );
    assert!(!file.path().exists());
    std::fs::write(file.path(), [7; 5000]).expect("it is written");
    let refusals = [
        file.store.init().await.expect_err("no database"),
        file.store
            .check(CheckDepth::Quick)
            .await
            .expect_err("no database"),
        file.store.stats().await.expect_err("no database"),
    ];
    for refused in refusals.map(|refused| refused.to_string()) {
        assert!(refused.contains("a.db"), "{refused}");
        assert!(refused.contains("file is not a database"), "{refused}");
        assert!(refused.contains("take it from a backup"), "{refused}");
    }
    assert_eq!(std::fs::read(file.path()).expect("it is there"), [7; 5000]);
}
