//! Values of keys.

use crate::check_lines;

#[test]
fn values_of_the_wrong_type_are_refused_with_the_right_one() {
    check_lines(
        r#"node = 5
workers = "2"
mqtt {
  receive_maximum    = 1.5
  max_packet_bytes   = [1]
  max_inflight       = ten
  max_keep_alive_s   = null
}
pool "sqlite" "p" {
  file     = sqlite
  readers  = true
}
module "m" {
  grants   = "clock"
  deadline = 5
  path     = { a = 1 }
  lanes    = 1 + 1
}
"#,
        &[
            "x.hcl:5: node: expected text in quotes, found a number",
            "x.hcl:6: workers: expected a whole number, found text",
            "x.hcl:8: mqtt: receive_maximum: expected a whole number, found 1.5",
            "x.hcl:9: mqtt: max_packet_bytes: expected a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\", found a list",
            "x.hcl:10: mqtt: max_inflight: expected a whole number, found a word without quotes",
            "x.hcl:11: mqtt: max_keep_alive_s: expected a whole number, found null",
            "x.hcl:14: pool \"p\": file: expected text in quotes, found a word without quotes",
            "x.hcl:15: pool \"p\": readers: expected a whole number, found true or false",
            "x.hcl:18: module \"m\": grants: expected a list, such as [\"clock\"]",
            "x.hcl:19: module \"m\": deadline: expected a time such as \"500ms\", \"5s\", \"2m\", \"1h\" or \"7d\", found a number",
            "x.hcl:20: module \"m\": path: expected text in quotes, found an object",
            "x.hcl:21: module \"m\": lanes: expected a whole number, found an expression",
        ],
    );
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    check_lines(
        r#"workers = 0
node = "two words"
listener "tcp" "other" {
  address         = "localhost:1883"
  connect_timeout = "2h"
  max_greeting    = -1
}
mqtt {
  max_packet_bytes    = 10
  receive_maximum     = 65536
  max_inflight        = 0
  max_queued_messages = 99999999999999999999
  max_output_bytes    = "2GiB"
}
pool "sqlite" "p" {
  file                 = ""
  max_transaction_rows = 0
  max_result_bytes     = "1 MB"
}
module "m" {
  lanes            = 65
  max_batch        = 4097
  deadline         = "5 s"
  max_memory_bytes = -1
}
"#,
        &[
            "x.hcl:5: workers: 0 is out of range: 1 to 256",
            "x.hcl:6: node: is at most 128 printable ASCII characters, without spaces, /, + and #",
            "x.hcl:8: listener \"other\": address: \"localhost:1883\" is not an IP address and a port, such as \"127.0.0.1:1883\"",
            "x.hcl:9: listener \"other\": connect_timeout: \"2h\" is out of range: 1ms to 1h",
            "x.hcl:10: listener \"other\": max_greeting: -1 is out of range: 1 to 1000000",
            "x.hcl:13: mqtt: max_packet_bytes: 10 is out of range: 256 to 255MiB",
            "x.hcl:14: mqtt: receive_maximum: 65536 is out of range: 1 to 65535",
            "x.hcl:15: mqtt: max_inflight: 0 is out of range: 1 to 65535",
            "x.hcl:16: mqtt: max_queued_messages: expected a whole number, found 1e20",
            "x.hcl:17: mqtt: max_output_bytes: \"2GiB\" is out of range: 4KiB to 1GiB",
            "x.hcl:20: pool \"p\": file: is empty",
            "x.hcl:21: pool \"p\": max_transaction_rows: 0 is out of range: 1 to 65536",
            "x.hcl:22: pool \"p\": max_result_bytes: \"1 MB\" is not a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\"",
            "x.hcl:25: module \"m\": lanes: 65 is out of range: 1 to 64",
            "x.hcl:26: module \"m\": max_batch: 4097 is out of range: 1 to 4096",
            "x.hcl:27: module \"m\": deadline: \"5 s\" is not a time such as \"500ms\", \"5s\", \"2m\", \"1h\" or \"7d\"",
            "x.hcl:28: module \"m\": max_memory_bytes: -1 is out of range: 64KiB to 4GiB",
        ],
    );
}

#[test]
fn bounds_of_what_is_written_down_are_sizes_and_counts() {
    check_lines(
        "max_spool_bytes = \"1 GB\"\nmax_dead_letters = 0",
        &[
            "x.hcl:5: max_spool_bytes: \"1 GB\" is not a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\"",
            "x.hcl:6: max_dead_letters: 0 is out of range: 1 to 10000000",
        ],
    );
    check_lines(
        "max_spool_bytes = \"2048GiB\"\nmax_dead_leters = 5",
        &[
            "x.hcl:5: max_spool_bytes: \"2048GiB\" is out of range: 0 to 1024GiB",
            "x.hcl:6: no key is called \"max_dead_leters\"; did you mean \"max_dead_letters\"?",
        ],
    );
    check_lines(
        "max_component_bytes = \"2GiB\"",
        &["x.hcl:5: max_component_bytes: \"2GiB\" is out of range: 1KiB to 1GiB"],
    );
}

#[test]
fn what_a_retention_cannot_be_is_refused() {
    check_lines(
        r#"pool "sqlite" "p" {
  file = "a.db"
  retention {
    max_age    = 7
    max_bytes  = "100KiB"
    slice_rows = 0
    max_rows   = 5
  }
  retention {
  }
}
pool "sqlite" "q" {
  file      = "b.db"
  retention = "7d"
}
pool "sqlite" "r" {
  file = "c.db"
  retention "x" {
    max_age = "100ms"
  }
}
"#,
        &[
            "x.hcl:8: pool \"p\": retention: max_age: expected a time such as \"500ms\", \"5s\", \"2m\", \"1h\" or \"7d\", found a number",
            "x.hcl:9: pool \"p\": retention: max_bytes: \"100KiB\" is out of range: 1MiB to 1048576GiB",
            "x.hcl:10: pool \"p\": retention: slice_rows: 0 is out of range: 1 to 65536",
            "x.hcl:11: pool \"p\": retention: no key is called \"max_rows\"; there is max_age, max_bytes, slice_rows",
            "x.hcl:13: pool \"p\": retention is there twice",
            "x.hcl:18: pool \"q\": retention is a block: write retention { ... }",
            "x.hcl:22: pool \"r\": retention has no name: write retention { ... }",
            "x.hcl:23: pool \"r\": retention: max_age: \"100ms\" is out of range: 1s to 36500d",
        ],
    );
}
