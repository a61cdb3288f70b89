//! Blocks: their names, and which may stand beside each other.

use crate::{check, check_lines};

#[test]
fn unknown_names_are_refused_with_what_was_meant() {
    check(
        r#"nodes = "a"
listner "tcp" "default" {
}
listener "tpc" "default" {
}
listener "tcp" "other" {
  adress = "127.0.0.1:1"
}
"#,
        &[
            "x.hcl:1: no key is called \"nodes\"; did you mean \"node\"?",
            "x.hcl:2: no block is called \"listner\"; did you mean \"listener\"?",
            "x.hcl:4: no listener is of the kind \"tpc\"; did you mean \"tcp\"?",
            "x.hcl:6: listener \"other\": the key \"address\" is missing",
            "x.hcl:7: listener \"other\": no key is called \"adress\"; did you mean \"address\"?",
        ],
    );
    check_lines(
        "include = \"more.hcl\"",
        &[
            "x.hcl:5: no key is called \"include\"; there is node, workers, max_spool_bytes, max_dead_letters, max_component_bytes",
        ],
    );
}

#[test]
fn blocks_need_their_labels() {
    check_lines(
        r#"listener "tcp" {
}
pool {
}
module {
}
rule "a" "b" {
}
mqtt "x" {
}
module "two words" {
}
module "" {
}
"#,
        &[
            "x.hcl:5: listener needs a kind and a name: listener \"tcp\" \"NAME\" { ... }",
            "x.hcl:7: pool needs a kind and a name: pool \"sqlite\" \"NAME\" { ... }",
            "x.hcl:9: module needs a name: module \"NAME\" { ... }",
            "x.hcl:11: rule needs a name: rule \"NAME\" { ... }",
            "x.hcl:13: mqtt has no name: write mqtt { ... }",
            "x.hcl:15: module \"two words\": a name is 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and .",
            "x.hcl:17: module \"\": a name is 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and .",
        ],
    );
}

#[test]
fn names_that_are_there_twice_are_refused_with_the_first_place() {
    check_lines(
        r#"listener "tcp" "default" {
  address = "127.0.0.1:0"
}
pool "sqlite" "p" {
  file = "a"
}
pool "sqlite" "p" {
  file = "b"
}
module "m" {
}
module "m" {
}
mqtt {
}
mqtt {
}
rule "r" {
  hook   = "client.connected"
  module = "m"
  action = "a"
}
rule "r" {
  hook   = "client.connected"
  module = "m"
  action = "b"
  options {
  }
  options {
  }
}
"#,
        &[
            "x.hcl:5: listener \"default\" is already there, at x.hcl:1",
            "x.hcl:11: pool \"p\" is already there, at x.hcl:8",
            "x.hcl:16: module \"m\" is already there, at x.hcl:14",
            "x.hcl:20: mqtt is there twice",
            "x.hcl:27: rule \"r\" is already there, at x.hcl:22",
            "x.hcl:33: rule \"r\": options is there twice",
        ],
    );
}

#[test]
fn two_writers_on_a_file_and_two_listeners_on_an_address_are_refused() {
    check_lines(
        r#"listener "tcp" "other" {
  address = "127.0.0.1:1883"
}
listener "tcp" "any" {
  address = "127.0.0.1:0"
}
listener "tcp" "any-too" {
  address = "127.0.0.1:0"
}
pool "sqlite" "p" {
  file = "a.db"
}
pool "sqlite" "q" {
  file = "./a.db"
}
pool "sqlite" "r" {
  file = "b.db"
}
"#,
        &[
            "x.hcl:5: listener \"other\": address: listener \"default\" has the same address, at x.hcl:1",
            "x.hcl:17: pool \"q\": file: pool \"p\" has the same file, at x.hcl:14",
        ],
    );
}
