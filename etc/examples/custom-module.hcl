# A module of your own beside the stock one: both see every message under
# plant/, and each is stored before any of them is acknowledged.

listener "tcp" "default" {
  address = "127.0.0.1:1883"
}

pool "sqlite" "embedded" {
  file = "hookwire.db"
}

module "sqlite" {
}

module "limits" {
  # A component file, here beside this file.
  path = "limits.wasm"
  # It stamps what it changes with the time.
  grants = ["clock"]
  # It only looks at one message at a time and calls no store.
  deadline         = "100ms"
  max_memory_bytes = "8MiB"
}

# Rules of one hook run in the order of the file, those that store last.
rule "check-limits" {
  hook   = "message.publish"
  module = "limits"
  action = "on_message_publish"
  topic  = "plant/+/temperature"
  # A module that fails must not stop the plant: the message goes on, and is counted.
  on_error = "continue"

  options {
    unit     = "celsius"
    highest  = 80.5
    reply_to = "plant/alarm/${clientid}"
  }
}

rule "store-plant" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  topic  = "plant/#"
  pool   = "embedded"
}
