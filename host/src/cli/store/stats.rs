//! What is told of a store's content.

use hookwire_driver::{StoreStats, StoredMessage, TableStats};
use serde_json::{Map, Value, json};

use crate::cli::ctl::table;

pub(super) fn json(pool: &str, stats: &StoreStats) -> Value {
    let message = |message: &Option<StoredMessage>| {
        let message = message.as_ref();
        message.map(|message| json!({ "id": message.id, "arrived": message.arrived }))
    };
    let table = |table: &TableStats| json!({ "name": table.name, "rows": table.rows, "bytes": table.bytes });
    let figures = stats.figures.iter();
    let figures: Map<String, Value> = figures
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({
        "pool": pool,
        "location": stats.location,
        "tables": stats.tables.iter().map(table).collect::<Vec<_>>(),
        "oldest_message": message(&stats.oldest),
        "newest_message": message(&stats.newest),
        "sessions": { "online": stats.sessions_online, "away": stats.sessions_away },
        "positions": stats.positions,
        "figures": figures,
    })
}

pub(super) fn lines(pool: &str, stats: &StoreStats) -> Vec<String> {
    let row = |table: &TableStats| {
        let bytes = table
            .bytes
            .map_or("-".to_owned(), |bytes| bytes.to_string());
        [table.name.clone(), table.rows.to_string(), bytes]
    };
    let rows: Vec<_> = stats.tables.iter().map(row).collect();
    let mut lines = vec![format!("{pool}: {}", stats.location)];
    lines.extend(table(["TABLE", "ROWS", "BYTES"], &rows));
    let message = |message: &Option<StoredMessage>| match message {
        Some(message) => format!("{} (id {})", message.arrived, message.id),
        None => "none".to_owned(),
    };
    let mut facts = vec![
        ("oldest message".to_owned(), message(&stats.oldest)),
        ("newest message".to_owned(), message(&stats.newest)),
        (
            "sessions".to_owned(),
            format!(
                "{} online, {} away",
                stats.sessions_online, stats.sessions_away
            ),
        ),
        ("read positions".to_owned(), stats.positions.to_string()),
    ];
    let figures = stats.figures.iter();
    facts.extend(figures.map(|(name, value)| (name.replace('_', " "), value.to_string())));
    let fact = |(name, value): &(String, String)| format!("{name}: {value}");
    lines.extend(facts.iter().map(fact));
    lines
}
