//! What `hookwire ctl clients show` prints of one client.

use hookwire_admin::{ClientEntry, PositionEntry, ReadingEntry, SourceEntry};

use super::clients::state;

/// Everything that is known of it, a line each.
pub(super) fn shown(client: &ClientEntry) -> Vec<String> {
    let mut lines = vec![
        format!("client          {}", client.clientid),
        format!("state           {}", state(client)),
        format!("connected at    {} (ms since 1970)", client.connected_at_ms),
        format!("inflight        {}", client.inflight),
        format!(
            "queued          {} ({} bytes)",
            client.queued, client.queued_bytes
        ),
    ];
    let optional = [
        ("user", client.username.clone()),
        ("address", client.peer.clone()),
        ("listener", client.listener.clone()),
        ("mqtt", client.protocol.clone()),
        ("keep alive", client.keep_alive_s.map(|s| format!("{s} s"))),
        (
            "clean start",
            client.clean_start.map(|flag| flag.to_string()),
        ),
        (
            "session expiry",
            client.session_expiry_s.map(|seconds| match seconds {
                u32::MAX => "never".to_owned(),
                seconds => format!("{seconds} s"),
            }),
        ),
    ];
    for (name, value) in optional {
        lines.extend(value.map(|value| format!("{name:<15} {value}")));
    }
    for subscription in &client.subscriptions {
        lines.push(format!(
            "subscription    {} (QoS {})",
            subscription.filter, subscription.qos
        ));
    }
    if let Some(reading) = &client.reading {
        lines.extend(reading_lines(reading));
    }
    lines
}

fn reading_lines(reading: &ReadingEntry) -> Vec<String> {
    let since = match reading.barrier_since_ms {
        Some(since_ms) => format!("up since {since_ms} (ms since 1970)"),
        None => "down".to_owned(),
    };
    let mut lines = vec![format!(
        "barrier         {since}; raised {} times, {} messages waited behind it",
        reading.barriers, reading.parked
    )];
    if reading.barrier {
        let anew = match reading.begins_anew {
            true => ", and is read anew",
            false => "",
        };
        lines.push(format!(
            "read            {} messages are not sent yet{anew}",
            reading.page_left
        ));
        if reading.retained > 0 {
            lines.push(format!(
                "retained        looked up for {} subscriptions",
                reading.retained
            ));
        }
    }
    lines.extend(reading.sources.iter().map(source_line));
    lines.extend(reading.positions.iter().map(position_line));
    if reading.more_positions > 0 {
        lines.push(format!("positions       {} more", reading.more_positions));
    }
    lines
}

fn source_line(source: &SourceEntry) -> String {
    let mut line = format!(
        "reads           {} by {}: {}",
        source.filter, source.rule, source.state
    );
    for (name, value) in [("cursor", &source.cursor), ("floor", &source.floor)] {
        if let Some(value) = value {
            line.push_str(&format!(", {name} {value}"));
        }
    }
    line
}

fn position_line(position: &PositionEntry) -> String {
    let reached = position.reached.as_deref().unwrap_or("nothing yet");
    let mut line = format!(
        "position        {} of {}: {reached}",
        position.topic, position.sender
    );
    if let Some(waits_for) = &position.waits_for {
        line.push_str(&format!(
            ", waits for {waits_for}: {} outstanding, {} acknowledged behind it",
            position.outstanding, position.behind
        ));
    }
    line
}
