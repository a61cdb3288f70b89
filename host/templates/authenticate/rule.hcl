rule "check-password" {
  hook   = "client.authenticate"
  module = "{{name}}"
  action = "check_password"
  pool   = "main"
}
