//! What is different from what is needed.
//!
//! What is needed is what the schema makes of an empty database. A business server may
//! have made the tables itself: names of types, and of indexes, may be its own, and so
//! may be further tables, columns and indexes, as long as rows can be written.

use futures_util::TryStreamExt as _;
use hookwire_driver::{CheckDepth, Difference};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

use super::SqliteStore;
use super::layout::{Column, Index, Layout, Table, Text};
use crate::fault::{CORRUPT, advice, advice_on, damage_in_words};

/// Faults of the file that are told.
const MAX_FAULTS: usize = 20;
const SCHEMA_FILE: &str = "etc/sql/sqlite-emqx3.sql";

pub(super) async fn check(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    depth: CheckDepth,
) -> Result<Vec<Difference>, sqlx::Error> {
    let (needed, version) = needed(&store.schema).await?;
    let found = Layout::read(connection).await?;
    let mut differences = Vec::new();
    let is_known = found.tables.contains_key("hookwire_meta");
    let found_version = match is_known {
        true => schema_version(connection).await?,
        false => None,
    };
    if is_known && found_version != version {
        differences.push(other_version(found_version, version));
    } else {
        compare(store, &needed, &found, &mut differences);
    }
    damage(connection, depth, &mut differences).await?;
    Ok(differences)
}

/// What the schema makes of an empty database, and its version.
async fn needed(schema: &str) -> Result<(Layout, Option<i64>), sqlx::Error> {
    let memory = SqliteConnectOptions::new().in_memory(true);
    let mut empty = memory.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(schema))
        .execute(&mut empty)
        .await?;
    let version = schema_version(&mut empty).await?;
    Ok((Layout::read(&mut empty).await?, version))
}

async fn schema_version(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let version = "SELECT CAST(value AS INTEGER) FROM hookwire_meta WHERE name = 'schema'";
    let version: Option<Option<i64>> = sqlx::query_scalar(version)
        .fetch_optional(connection)
        .await?;
    Ok(version.flatten())
}

fn other_version(found: Option<i64>, known: Option<i64>) -> Difference {
    let number = |version: Option<i64>| version.map_or("none".to_owned(), |v| v.to_string());
    Difference {
        what: format!(
            "the tables are of another version: schema {}; this binary knows {}",
            number(found),
            number(known)
        ),
        remedy: "run the binary that made them, or give the pool another file".to_owned(),
    }
}

fn compare(store: &SqliteStore, needed: &Layout, found: &Layout, into: &mut Vec<Difference>) {
    let missing = |what: String| Difference {
        what: format!("{what} is missing"),
        remedy: store.init_command(),
    };
    for (name, table) in &needed.tables {
        match found.tables.get(name) {
            Some(found) => compare_table(name, table, found, into),
            None => into.push(missing(format!("table {name}"))),
        }
    }
    for (name, index) in &needed.indexes {
        let same_name = found.indexes.get(name);
        if same_name == Some(index) || found.indexes.values().any(|other| other == index) {
            continue;
        }
        match same_name {
            Some(other) => into.push(other_index(name, index, other)),
            None if !found.tables.contains_key(&index.table) => {}
            None => into.push(missing(format!("index {name} on {}", index.table))),
        }
    }
    for (name, text) in &needed.texts {
        match found.texts.get(name) {
            Some(other) if other == text => {}
            Some(other) => into.push(other_text(store, name, other)),
            None => into.push(missing(format!("{} {name}", text.kind))),
        }
    }
}

fn compare_table(name: &str, needed: &Table, found: &Table, into: &mut Vec<Difference>) {
    let copy =
        format!("rename the table, run `hookwire store init`, and copy its rows ({SCHEMA_FILE})");
    for column in &needed.columns {
        let same = |other: &&Column| other.name.eq_ignore_ascii_case(&column.name);
        match found.columns.iter().find(same) {
            None => into.push(missing_column(name, column, &copy)),
            Some(other) if !fits(column, other) => into.push(Difference {
                what: format!(
                    "column {name}.{} holds {} ({}); {} is needed",
                    column.name,
                    other.affinity(),
                    shown(&other.declared),
                    column.declared
                ),
                remedy: copy.clone(),
            }),
            Some(_) => {}
        }
    }
    let is_ours = |column: &Column| {
        let mut ours = needed.columns.iter();
        ours.any(|ours| ours.name.eq_ignore_ascii_case(&column.name))
    };
    let strange = found.columns.iter().filter(|column| !is_ours(column));
    let blocking = strange.filter(|column| column.notnull && column.default.is_none());
    into.extend(blocking.map(|column| Difference {
        what: format!(
            "column {name}.{} may not be NULL, has no default, and is not written by the broker",
            column.name
        ),
        remedy: "give it a default, or let it be NULL: no row can be stored as it is".to_owned(),
    }));
    if needed.is_autoincrement && !found.is_autoincrement {
        into.push(Difference {
            what: format!(
                "table {name} has no AUTOINCREMENT: ids of deleted rows are given again, and read \
                 positions point at ids"
            ),
            remedy: copy,
        });
    }
}

/// Whether what is written into `needed` comes back from `found` as it was. Text and
/// numbers that a column of dates holds do.
fn fits(needed: &Column, found: &Column) -> bool {
    let (needed_affinity, found_affinity) = (needed.affinity(), found.affinity());
    needed_affinity == found_affinity
        || found_affinity == "BLOB"
        || (needed_affinity == "TEXT" && found.declared.to_ascii_uppercase().contains("DATE"))
        || (needed_affinity == "TEXT" && found.declared.to_ascii_uppercase().contains("TIME"))
}

fn missing_column(table: &str, column: &Column, copy: &str) -> Difference {
    let name = &column.name;
    let can_be_added = column.pk == 0 && (!column.notnull || column.default.is_some());
    let is_constant = column
        .default
        .as_deref()
        .is_none_or(|text| !text.starts_with("CURRENT"));
    let remedy = if can_be_added && is_constant {
        let not_null = if column.notnull { " NOT NULL" } else { "" };
        let default = column.default.as_deref().unwrap_or("NULL");
        let declared = &column.declared;
        format!("ALTER TABLE {table} ADD COLUMN {name} {declared}{not_null} DEFAULT {default}")
    } else {
        copy.to_owned()
    };
    Difference {
        what: format!("column {table}.{name} is missing"),
        remedy,
    }
}

fn other_index(name: &str, needed: &Index, found: &Index) -> Difference {
    let unique = |index: &Index| if index.is_unique { "unique, " } else { "" };
    let words = |index: &Index| {
        let only = index.only.as_deref();
        let only = only.map_or(String::new(), |only| format!(" WHERE {only}"));
        let columns = index.columns.join(", ");
        format!("{}on {} ({columns}){only}", unique(index), index.table)
    };
    Difference {
        what: format!(
            "index {name} is another one: {}; {} is needed",
            words(found),
            words(needed)
        ),
        remedy: format!("DROP INDEX {name}, then `hookwire store init`"),
    }
}

fn other_text(store: &SqliteStore, name: &str, found: &Text) -> Difference {
    let kind = found.kind.to_ascii_uppercase();
    Difference {
        what: format!("{} {name} is another one than this version's", found.kind),
        remedy: format!("DROP {kind} {name}, then {}", store.init_command()),
    }
}

async fn damage(
    connection: &mut SqliteConnection,
    depth: CheckDepth,
    into: &mut Vec<Difference>,
) -> Result<(), sqlx::Error> {
    let pragma = match depth {
        CheckDepth::Quick => "PRAGMA quick_check",
        CheckDepth::Full => "PRAGMA integrity_check",
    };
    let mut faults = Vec::new();
    let mut read = sqlx::query_scalar::<_, String>(pragma).fetch(connection);
    loop {
        match read.try_next().await {
            Ok(Some(fault)) if fault == "ok" => {}
            Ok(Some(fault)) => faults.push(damage_in_words(&fault)),
            Ok(None) => break,
            // Some damage keeps it from being looked at further.
            Err(error) if advice(&error) == advice_on(CORRUPT) => {
                faults.push(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    into.extend(faults.into_iter().map(|fault| {
        Difference {
            what: format!("the file is damaged: {fault}"),
            remedy: "take it from a backup, or save what can be read with \
            `sqlite3 FILE .recover | sqlite3 NEW`"
                .to_owned(),
        }
    }));
    Ok(())
}

fn shown(declared: &str) -> &str {
    if declared.is_empty() {
        "of no type"
    } else {
        declared
    }
}
