//! Files that a pool is opened on: what is refused, and what is left on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::SqlPool as _;
use hookwire_driver_sqlite::{OpenError, SqliteOptions, SqlitePool};
use tempfile::TempDir;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x TEXT)";
const INSERT: &str = "INSERT INTO t (x) VALUES (?)";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("a.db")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("it is there");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.flatten().map(name).collect();
        names.sort();
        names
    }

    /// A database of some hundred pages.
    async fn filled(&self) {
        let pool = open(&self.file(), |_| {}).await.expect("it opens");
        for _ in 0..4 {
            store(&pool, 100).await;
        }
        pool.close().await;
        assert_eq!(self.names(), ["a.db"], "all of it is in the file");
    }

    fn damage(&self, page: usize) -> Vec<u8> {
        let mut bytes = std::fs::read(self.file()).expect("it is there");
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(self.file(), &bytes).expect("it is written");
        bytes
    }
}

async fn open(
    path: &Path,
    change: impl FnOnce(&mut SqliteOptions),
) -> Result<Arc<SqlitePool>, OpenError> {
    let mut options = SqliteOptions::new(path);
    options.schema = Some(SqliteOptions::at_once(SCHEMA));
    options.max_check = Some(Duration::from_secs(20));
    change(&mut options);
    SqlitePool::open(options).await
}

async fn store(pool: &SqlitePool, rows: usize) {
    let row = vec![hookwire_driver::Value::Text("x".repeat(1000))];
    let deadline = Instant::now() + Duration::from_secs(20);
    let stored = pool
        .exec_many(INSERT.into(), vec![row; rows], deadline)
        .await;
    assert_eq!(stored.expect("it is stored").failed, []);
}

fn text(refused: Result<Arc<SqlitePool>, OpenError>) -> String {
    refused.map(|_| ()).expect_err("it is refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_refused_and_left_as_it_is() {
    for page in [0, 40] {
        let folder = Folder::new();
        folder.filled().await;
        let damaged = folder.damage(page);
        let refused = text(open(&folder.file(), |_| {}).await);
        assert!(refused.contains("a.db"), "{refused}");
        assert!(refused.contains("take it from a backup"), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
        let left = std::fs::read(folder.file()).expect("it is there");
        assert!(left == damaged, "page {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_waits_for_the_look_at_a_file_no_longer_than_it_may() {
    let folder = Folder::new();
    folder.filled().await;
    folder.damage(40);
    let pool = open(&folder.file(), |options| {
        options.max_check = Some(Duration::ZERO);
    })
    .await;
    pool.expect("it was not looked through").close().await;
    let pool = open(&folder.file(), |options| options.max_check = None).await;
    pool.expect("it was not looked at").close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_file_that_was_made_for_nothing() {
    let folder = Folder::new();
    let bad = "CREATE TABLE a (x); CREATE TABLE a (x)";
    let refused = open(&folder.file(), |options| options.schema = Some(bad.into())).await;
    assert!(text(refused).contains("already exists"));
    assert_eq!(folder.names(), [""; 0]);

    let pool = open(&folder.file(), |_| {}).await.expect("it opens");
    assert!(folder.names().contains(&"a.db".to_owned()));
    pool.discard().await;
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_or_was_used_stays() {
    let folder = Folder::new();
    let pool = open(&folder.file(), |_| {}).await.expect("it opens");
    store(&pool, 1).await;
    pool.discard().await;
    assert_eq!(folder.names(), ["a.db"]);

    let pool = open(&folder.file(), |_| {}).await.expect("it opens");
    pool.discard().await;
    assert_eq!(folder.names(), ["a.db"]);

    let bad = "CREATE TABLE t (x)";
    let refused = open(&folder.file(), |options| options.schema = Some(bad.into())).await;
    assert!(text(refused).contains("already exists"));
    assert_eq!(folder.names()[0], "a.db");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_schema_is_not_made() {
    let folder = Folder::new();
    let pool = open(&folder.file(), |_| {}).await.expect("it opens");
    let bad = SqliteOptions::at_once("CREATE TABLE half (x); CREATE TABLE t (x)");
    let refused = open(&folder.file(), |options| options.schema = Some(bad)).await;
    assert!(text(refused).contains("already exists"));
    let deadline = Instant::now() + Duration::from_secs(20);
    let query = "SELECT name FROM sqlite_master WHERE name = 'half'";
    let found = pool.query(query.into(), vec![], 1, deadline).await;
    assert_eq!(found.expect("it is read").rows.len(), 0);
}
