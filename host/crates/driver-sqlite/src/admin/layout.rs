//! Tables, indexes, triggers and views of a database, as it says itself.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

/// What a database has, by name.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) indexes: BTreeMap<String, Index>,
    /// Triggers and views, which are their text.
    pub(super) texts: BTreeMap<String, Text>,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// Whether a number is never given to two rows.
    pub(super) is_autoincrement: bool,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) notnull: bool,
    pub(super) default: Option<String>,
    /// Its place in the primary key, from 1; 0 if it is not in it.
    pub(super) pk: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) table: String,
    pub(super) is_unique: bool,
    pub(super) columns: Vec<String>,
    /// Which rows it has, where not all.
    pub(super) only: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) kind: String,
    pub(super) table: String,
    /// Its statement, without what only looks different.
    pub(super) sql: String,
}

impl Layout {
    pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut layout = Self::default();
        let all: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' \
             ESCAPE '\\' ORDER BY name",
        )
        .fetch_all(&mut *connection)
        .await?;
        for (kind, name, table, sql) in all {
            let sql = plain(&sql.unwrap_or_default());
            match kind.as_str() {
                "table" => {
                    let table = Table {
                        columns: read_columns(connection, &name).await?,
                        is_autoincrement: sql.to_ascii_uppercase().contains("AUTOINCREMENT"),
                    };
                    layout.tables.insert(name, table);
                }
                "index" => {
                    let index = read_index(connection, &name, table, &sql).await?;
                    layout.indexes.insert(name, index);
                }
                _ => {
                    layout.texts.insert(name, Text { kind, table, sql });
                }
            }
        }
        Ok(layout)
    }

    /// What this one has and `before` has not, in words.
    pub(super) fn added_to(&self, before: &Self) -> Vec<String> {
        let tables = self.tables.keys();
        let tables = tables.filter(|name| !before.tables.contains_key(*name));
        let mut lines: Vec<String> = tables.map(|name| format!("table {name}")).collect();
        let indexes = self.indexes.iter();
        let indexes = indexes.filter(|(name, _)| !before.indexes.contains_key(*name));
        lines.extend(indexes.map(|(name, index)| format!("index {name} on {}", index.table)));
        let texts = self.texts.iter();
        let texts = texts.filter(|(name, _)| !before.texts.contains_key(*name));
        lines.extend(texts.map(|(name, text)| format!("{} {name}", text.kind)));
        lines
    }
}

async fn read_columns(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let columns: Vec<(String, String, bool, Option<String>, i64)> = sqlx::query_as(
        "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid",
    )
    .bind(table.to_owned())
    .fetch_all(connection)
    .await?;
    let column = |(name, declared, notnull, default, pk)| Column {
        name,
        declared,
        notnull,
        default,
        pk,
    };
    Ok(columns.into_iter().map(column).collect())
}

async fn read_index(
    connection: &mut SqliteConnection,
    name: &str,
    table: String,
    sql: &str,
) -> Result<Index, sqlx::Error> {
    let columns = "SELECT coalesce(name, '') FROM pragma_index_info(?) ORDER BY seqno";
    let columns = sqlx::query_scalar(columns).bind(name.to_owned());
    let unique = "SELECT \"unique\" FROM pragma_index_list(?) WHERE name = ?";
    let unique = sqlx::query_scalar(unique)
        .bind(table.clone())
        .bind(name.to_owned());
    Ok(Index {
        columns: columns.fetch_all(&mut *connection).await?,
        is_unique: unique.fetch_one(&mut *connection).await?,
        only: sql.split_once(" WHERE ").map(|(_, only)| only.to_owned()),
        table,
    })
}

impl Column {
    /// How SQLite holds what is written into it: section 3.1 of
    /// <https://www.sqlite.org/datatype3.html>.
    pub(super) fn affinity(&self) -> &'static str {
        let declared = self.declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        if has(&["INT"]) {
            "INTEGER"
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            "TEXT"
        } else if declared.is_empty() || has(&["BLOB"]) {
            "BLOB"
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            "REAL"
        } else {
            "NUMERIC"
        }
    }
}

/// A statement on one line, without IF NOT EXISTS and quotes of names.
fn plain(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words.join(" ").replace("IF NOT EXISTS ", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart_as_sqlite_does() {
        let check = |declared: &str, expected| {
            let column = Column {
                name: "c".to_owned(),
                declared: declared.to_owned(),
                notnull: false,
                default: None,
                pk: 0,
            };
            assert_eq!(column.affinity(), expected, "{declared}");
        };
        check("INTEGER", "INTEGER");
        check("tinyint(4)", "INTEGER");
        check("varchar(64)", "TEXT");
        check("TEXT", "TEXT");
        check("blob", "BLOB");
        check("", "BLOB");
        check("double", "REAL");
        check("datetime", "NUMERIC");
    }
}
