//! `pool KIND NAME`

use std::time::Duration;

use hcl_edit::structure::Block;

use crate::keys::Keys;
use crate::model::{Located, Pool, PoolKind, Retention, SqlitePool};
use crate::source::Source;
use crate::{block, value};

/// The block's name, and the pool if nothing is wrong with it.
pub(crate) fn read(
    source: &mut Source<'_>,
    block: &Block,
) -> Option<(Located<String>, Option<Pool>)> {
    let (kind, name) = block::kind_and_name(source, block, &["sqlite"])?;
    let owner = format!("pool \"{}\"", name.value);
    let keys = Keys::new(source, &block.body, owner, name.at.clone());
    let kind = match kind {
        Some("sqlite") => sqlite(keys),
        _ => None,
    };
    let pool = kind.map(|kind| Pool {
        name: name.clone(),
        kind,
    });
    Some((name, pool))
}

fn sqlite(mut keys: Keys<'_, '_, '_>) -> Option<PoolKind> {
    let file = keys.required("file", value::path);
    let max_waiting_rows = keys.count("max_waiting_rows", 65_536, 1..=16_777_216);
    let max_transaction_rows = keys.count("max_transaction_rows", 1024, 1..=65_536);
    let readers = keys.count("readers", 2, 1..=64);
    let max_result_bytes = keys.bytes(
        "max_result_bytes",
        4 * 1024 * 1024,
        1024..=1024 * 1024 * 1024,
    );
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(60));
    let max_statement = keys.time("max_statement", Duration::from_secs(1), least..=most);
    let retention = keys.blocks("retention");
    for twin in retention.iter().skip(1) {
        let at = block::at(keys.source(), twin);
        keys.report(at, "retention is there twice");
    }
    let retention = retention
        .first()
        .map(|block| read_retention(&mut keys, block));
    keys.finish();
    Some(PoolKind::Sqlite(SqlitePool {
        file: file?.value,
        max_waiting_rows,
        max_transaction_rows,
        readers,
        max_result_bytes,
        max_statement,
        retention: retention.unwrap_or_default(),
    }))
}

fn read_retention(keys: &mut Keys<'_, '_, '_>, block: &Block) -> Retention {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let owner = format!("{}: retention", keys.owner());
    let source = keys.source();
    let at = block::at(source, block);
    if !block.labels.is_empty() {
        let message = format!("{owner} has no name: write retention {{ ... }}");
        source.report(at.clone(), message);
    }
    let default = Retention::default();
    let mut keys = Keys::new(source, &block.body, owner, at);
    let age = value::duration(Duration::from_secs(1)..=36_500 * DAY);
    let bytes = value::bytes(1024 * 1024..=1024 * 1024 * 1024 * 1024 * 1024);
    let retention = Retention {
        max_age: keys.or("max_age", default.max_age, value::or_none(age)),
        max_bytes: keys
            .located("max_bytes", value::or_none(bytes))
            .map_or(default.max_bytes, |bytes| {
                bytes.value.and_then(|bytes| u64::try_from(bytes).ok())
            }),
        slice_rows: keys.count("slice_rows", default.slice_rows, 1..=65_536),
    };
    keys.finish();
    retention
}
