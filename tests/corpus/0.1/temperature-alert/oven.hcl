# An oven that heats up and cools down, beside a sensor that is broken.

pool "sqlite" "main" {}

module "temperature-alert" {
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
  pool   = "main"
}

event "message.publish" {
  topic   = "sensors/oven/temperature"
  payload = "{\"celsius\": 69}"
}
expect {
  broker_calls = 0
}

# Too hot: one alert, however long it lasts.
event "message.publish" {
  topic   = "sensors/oven/temperature"
  payload = "{\"celsius\": 71}"
}
event "message.publish" {
  topic   = "sensors/oven/temperature"
  payload = "{\"celsius\": 72}"
}
expect {
  publish {
    topic   = "alerts/oven"
    payload = "{\"state\":\"hot\",\"celsius\":71}"
    qos     = 1
    retain  = true
  }
}

# A little cooler does not end it.
event "message.publish" {
  topic   = "sensors/oven/temperature"
  payload = "{\"celsius\": 66}"
}
expect {
  broker_calls = 0
}
event "message.publish" {
  topic   = "sensors/oven/temperature"
  payload = "{\"celsius\": 64}"
}
expect {
  publish {
    topic   = "alerts/oven"
    payload = "{\"state\":\"normal\",\"celsius\":64}"
  }
}

# What no sensor means goes no further, and what is no reading is refused.
event "message.publish" {
  topic   = "sensors/broken/temperature"
  payload = "{\"celsius\": 999}"
  expect {
    verdict = "drop"
  }
}
event "message.publish" {
  topic   = "sensors/broken/temperature"
  payload = "warm"
  expect {
    verdict     = "deny"
    reason_code = "payload format invalid"
  }
}

expect {
  query "main" {
    statement = "SELECT device, celsius FROM last_value ORDER BY device"
    rows      = [["oven", 64.0]]
  }
  metrics = { alerts = 2, dropped = 1, unreadable = 1 }
}
