//! Which verdicts a hook takes: the table of `wit/README.md`.

use crate::Verdict;
use crate::action::Action;

/// Checks that `action`, bound to `hook`, may answer `verdict`.
///
/// # Errors
/// Why the host would take it for a failure of the rule.
pub(super) fn check(action: &Action, hook: &str, verdict: &Verdict) -> Result<(), String> {
    let allowed: &[&str] = match hook {
        "client.connect" | "client.unsubscribe" => &["deny", "disconnect"],
        "client.authenticate" => &["allow", "challenge", "deny", "disconnect"],
        "client.authorize" => &["allow", "deny", "disconnect"],
        "client.subscribe" => &["replace", "deny", "disconnect"],
        "session.fetch" | "session.retained" => &["page", "deny"],
        "session.created" => &["restore", "deny", "disconnect"],
        "message.publish" => &["replace", "drop", "deny", "disconnect"],
        "message.deliver" => &["replace", "drop", "disconnect"],
        _ => &[],
    };
    let name = match verdict {
        Verdict::Proceed | Verdict::Failed(_) => return Ok(()),
        Verdict::Replace(_) if action.stores => {
            return Err("an action that stores changes nothing".to_owned());
        }
        Verdict::Deny(denial) | Verdict::Disconnect(denial) if denial.reason_code < 0x80 => {
            let code = denial.reason_code;
            return Err(format!("the reason code {code:#04x} refuses nothing"));
        }
        Verdict::Replace(_) => "replace",
        Verdict::Drop => "drop",
        Verdict::Deny(_) => "deny",
        Verdict::Disconnect(_) => "disconnect",
        Verdict::Allow(_) => "allow",
        Verdict::Challenge(_) => "challenge",
        Verdict::Restore(_) => "restore",
        Verdict::Page(_) => "page",
        Verdict::Other(_) => "other",
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    Err(match allowed {
        [] => format!("nothing waits for a verdict of {hook}, and this is `{name}`"),
        allowed => format!("{hook} takes {}, and not `{name}`", allowed.join(", ")),
    })
}
