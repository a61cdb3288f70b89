# Readings that pass, and readings that do not.

module "{{name}}" {}

{{rule}}
event "message.publish" {
  topic   = "sensors/1"
  payload = "{\"celsius\": 21.5}"
}

event "message.publish" {
  topic   = "sensors/1"
  payload = "{\"celsius\": 900}"
  expect {
    verdict     = "deny"
    reason_code = "implementation specific error"
    reason      = "900 is not in -40 to 85"
  }
}

event "message.publish" {
  topic   = "sensors/1"
  payload = "hot"
  expect {
    verdict     = "deny"
    reason_code = "payload format invalid"
  }
}

# Another topic: the rule does not look at it.
event "message.publish" {
  topic   = "news"
  payload = "hot"
}
