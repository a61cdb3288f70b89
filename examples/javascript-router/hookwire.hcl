# The broker of this example: what is published under inbox/ goes where its
# payload says.

listener "tcp" "default" {
  address = "127.0.0.1:1883"
}

module "router" {
  # Made by `npm run build`, beside this file.
  path = "router.wasm"
  # Nothing: the log and figures of its own are granted always.
  grants = []
  # JavaScript brings its engine along: one instance needs no second one.
  lanes            = 1
  deadline         = "1s"
  max_memory_bytes = "16MiB"
}

rule "route-inbox" {
  hook   = "message.publish"
  module = "router"
  action = "route"
  topic  = "inbox/#"

  options {
    field  = "kind"
    prefix = "by-kind"
  }
}
