//! Which verdicts a hook takes: the table of `wit/README.md`.

use crate::Verdict;

/// Whether an action on `hook` may answer `verdict`.
pub(crate) fn fits(hook: &str, verdict: &Verdict) -> bool {
    let allowed: &[&str] = match hook {
        "client.connect" | "client.unsubscribe" => &["deny", "disconnect"],
        "client.authenticate" => &["allow", "challenge", "deny", "disconnect"],
        "client.authorize" => &["allow", "deny", "disconnect"],
        "client.subscribe" => &["replace", "deny", "disconnect"],
        "session.created" => &["restore", "deny", "disconnect"],
        "message.publish" => &["replace", "drop", "deny", "disconnect"],
        "message.deliver" => &["replace", "drop", "disconnect"],
        _ => &[],
    };
    let name = match verdict {
        Verdict::Proceed | Verdict::Failed(_) => return true,
        Verdict::Replace(_) => "replace",
        Verdict::Drop => "drop",
        Verdict::Deny(_) => "deny",
        Verdict::Disconnect(_) => "disconnect",
        Verdict::Allow(_) => "allow",
        Verdict::Challenge(_) => "challenge",
        Verdict::Restore(_) => "restore",
        Verdict::Other(_) => return false,
    };
    allowed.contains(&name)
}
