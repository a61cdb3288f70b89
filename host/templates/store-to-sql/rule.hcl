rule "store-readings" {
  hook   = "message.publish"
  module = "{{name}}"
  action = "store"
  topic  = "sensors/#"
  pool   = "main"
}
