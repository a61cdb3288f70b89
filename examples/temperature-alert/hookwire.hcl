# The broker of this example: readings are checked, then the last one of each
# device is kept, before its publisher is acknowledged.

listener "tcp" "default" {
  address = "127.0.0.1:1883"
}

pool "sqlite" "embedded" {
  file = "hookwire.db"
}

module "temperature-alert" {
  # Where `cargo xtask rules` puts it, seen from this file.
  path = "../../target/modules/temperature-alert.wasm"
  # It publishes alerts, and remembers for which device it has raised one.
  grants = ["broker.publish", "key-value"]
}

rule "check" {
  hook   = "message.publish"
  module = "temperature-alert"
  action = "check_reading"
  topic  = "sensors/+/temperature"

  options {
    alert_above = 70.0
    hysteresis  = 5.0
  }
}

rule "keep-last" {
  hook   = "message.publish"
  module = "temperature-alert"
  action = "keep_last_value"
  topic  = "sensors/+/temperature"
  pool   = "embedded"
}
