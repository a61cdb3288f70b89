//! Checks user names and passwords against a table.

use hookwire_sdk::passwords;
use hookwire_sdk::prelude::*;

const FIND: &str = "SELECT hash FROM users WHERE username = ?";

/// Lets clients in whose password is that of the table `users`.
#[action(hook = "client.authenticate", pool = "sql")]
fn check_password(ctx: &Context, credentials: &Credentials) -> Result<Authentication, Fault> {
    let Some(username) = &credentials.client.username else {
        return Ok(Authentication::Defer);
    };
    let found = ctx.sql()?.query(FIND, &[username.into()], 1)?;
    let Some(user) = found.first() else {
        return Ok(Authentication::Defer);
    };
    let password = credentials.password.as_deref().unwrap_or_default();
    if passwords::verify(password, user.get::<&str>("hash")?)? {
        return Ok(Authentication::Accept);
    }
    Ok(Authentication::Deny("wrong password".to_owned()))
}

hookwire_sdk::module! { name: "{{name}}", actions: [check_password] }

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    fn verdict(username: &str, password: &str, found: &[&'static str]) -> Verdict {
        let pool = SqlPool::named("main");
        pool.answer(testing::rows(["hash"], found.iter().map(|hash| [(*hash).into()])));
        testing::set_password("$a-hash", "wonderland");
        let rule = Rule::new(&check_password::ACTION).pool("main");
        rule.run(testing::credentials("c1", username, password))
    }

    #[test]
    fn passwords_are_held_against_the_table() {
        assert_eq!(verdict("alice", "wonderland", &["$a-hash"]), Verdict::allow());
        let refused = verdict("alice", "looking-glass", &["$a-hash"]);
        assert_eq!(refused, Verdict::deny(0x86, "wrong password"));
    }

    #[test]
    fn other_users_are_left_to_the_next_rule() {
        assert_eq!(verdict("bob", "wonderland", &[]), Verdict::defer());
    }
}
