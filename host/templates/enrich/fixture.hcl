# What is added to a message, and when counting begins anew.

module "{{name}}" {
  grants = ["key-value"]
}

{{rule}}
event "message.publish" {
  topic           = "sensors/1"
  payload         = "21.5"
  sender          = "s1"
  user_properties = { unit = "C" }
  expect {
    verdict         = "replace"
    payload         = "21.5"
    user_properties = { unit = "C", received-ms = "1479202840000", number = "1" }
  }
}

event "message.publish" {
  topic  = "sensors/1"
  sender = "s1"
  expect {
    verdict         = "replace"
    user_properties = { received-ms = "1479202840000", number = "2" }
  }
}

expect {
  kept = { "count/s1" = "2" }
}

# The window of 24 hours began with the first message.
clock { advance = "24h" }

event "message.publish" {
  topic  = "sensors/1"
  sender = "s1"
  expect {
    verdict         = "replace"
    user_properties = { received-ms = "1479289240000", number = "1" }
  }
}
