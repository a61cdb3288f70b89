rule "plausible" {
  hook   = "message.publish"
  module = "{{name}}"
  action = "in_range"
  topic  = "sensors/#"

  options {
    field = "celsius"
    min   = -40
    max   = 85
  }
}
