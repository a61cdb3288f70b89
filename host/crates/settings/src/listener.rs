//! `listener "tcp" NAME`

use std::time::Duration;

use hcl_edit::structure::Block;

use crate::keys::Keys;
use crate::model::{Listener, Located};
use crate::source::Source;
use crate::{block, value};

/// The block's name, and the listener if nothing is wrong with it.
pub(crate) fn read(
    source: &mut Source<'_>,
    block: &Block,
) -> Option<(Located<String>, Option<Listener>)> {
    let (kind, name) = block::kind_and_name(source, block, &["tcp"])?;
    if kind.is_none() {
        return Some((name, None));
    }
    let owner = format!("listener \"{}\"", name.value);
    let mut keys = Keys::new(source, &block.body, owner, name.at.clone());
    let address = keys.required("address", value::address);
    let connect_timeout = keys.time(
        "connect_timeout",
        Duration::from_secs(10),
        Duration::from_millis(1)..=Duration::from_secs(3600),
    );
    let max_greeting = keys.count("max_greeting", 1024, 1..=1_000_000);
    let allow_unknown_clients = keys.or("allow_unknown_clients", true, value::boolean);
    let allow_unlisted_access = keys.or("allow_unlisted_access", true, value::boolean);
    keys.finish();
    let listener = address.map(|address| Listener {
        name: name.value.clone(),
        address: address.value,
        connect_timeout,
        max_greeting,
        allow_unknown_clients,
        allow_unlisted_access,
    });
    Some((name, listener))
}
