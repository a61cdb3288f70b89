//! What is no HCL, or not the HCL that is wanted.

use crate::{check, check_lines};

#[test]
fn what_is_no_hcl_is_refused_at_its_line() {
    check(
        "node = \"a\"\nworkers = = 2\n",
        &[
            "x.hcl:2: invalid expression; expected `\"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit",
        ],
    );
    check(
        "node = \"a\"\nnode = \"b\"\n",
        &["x.hcl:2: invalid attribute; expected unique attribute key; found redefined attribute"],
    );
    check_lines(
        "rule \"r\" {\n  options {\n    sql = \"like '%{x'\"\n  }\n}",
        &[
            "x.hcl:7: invalid block body; expected `}`, newline or identifier; a %{ in text is written %%{",
        ],
    );
}

#[test]
fn an_empty_file_lacks_a_listener() {
    let message = "there is no listener: write listener \"tcp\" \"default\" { ... }";
    check("", &[&format!("x.hcl:1: {message}")]);
}

#[test]
fn keys_and_blocks_are_not_mixed_up() {
    check_lines(
        r#"mqtt = { receive_maximum = 5 }
node {
}
rule "r" {
  options = { a = 1 }
}
"#,
        &[
            "x.hcl:5: mqtt is a block: write mqtt { ... }",
            "x.hcl:6: node is a key: write node = ...",
            "x.hcl:8: rule \"r\": the key \"hook\" is missing",
            "x.hcl:8: rule \"r\": the key \"module\" is missing",
            "x.hcl:8: rule \"r\": the key \"action\" is missing",
            "x.hcl:9: rule \"r\": options is a block: write options { ... }",
        ],
    );
    check_lines(
        "mqtt {\n  tls {\n  }\n}\n",
        &["x.hcl:6: mqtt: no block is called \"tls\"; there is none"],
    );
}
