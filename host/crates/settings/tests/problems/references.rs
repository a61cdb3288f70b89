//! What rules name.

use crate::check_lines;

#[test]
fn rules_refer_to_what_is_there() {
    check_lines(
        r#"module "audit" {
  grants = ["clok"]
}
pool "sqlite" "main" {
  filename = "a.db"
}
rule "r" {
  hook     = "message.publsh"
  module   = "audti"
  action   = ""
  pool     = "man"
  on_error = "rety"
}
rule "s" {
  hook     = "client.connected"
  module   = "audit"
  action   = "a"
  pool     = "main"
  topic    = "a/#"
  on_error = "deny"
  options {
    nothing = null
    nested  = [1, [concat("a")]]
    inner {
    }
  }
}
"#,
        &[
            "x.hcl:6: module \"audit\": grants: nothing called \"clok\" can be granted; did you mean \"clock\"?",
            "x.hcl:8: pool \"main\": the key \"file\" is missing",
            "x.hcl:9: pool \"main\": no key is called \"filename\"; there is file, max_waiting_rows, max_transaction_rows, readers, max_result_bytes, max_statement",
            "x.hcl:12: rule \"r\": hook: no hook is called \"message.publsh\"; did you mean \"message.publish\"?",
            "x.hcl:13: rule \"r\": module: no module is called \"audti\"; did you mean \"audit\"?",
            "x.hcl:14: rule \"r\": action: is empty",
            "x.hcl:15: rule \"r\": pool: no pool is called \"man\"; did you mean \"main\"?",
            "x.hcl:16: rule \"r\": on_error: \"rety\" is no way to go on; did you mean \"retry\"?",
            "x.hcl:23: rule \"s\": topic: client.connected has no topic",
            "x.hcl:24: rule \"s\": on_error: client.connected has happened when its rules run, and cannot be denied",
            "x.hcl:26: rule \"s\": options: nothing: expected text, a number, true, false, or a list of these, found null",
            "x.hcl:27: rule \"s\": options: nested: expected text, a number, true, false, or a list of these, found an expression",
            "x.hcl:28: rule \"s\": options: inner is no block: write inner = ...",
        ],
    );
}
