rule "stamp" {
  hook   = "message.publish"
  module = "{{name}}"
  action = "stamp"
  topic  = "sensors/#"
}
