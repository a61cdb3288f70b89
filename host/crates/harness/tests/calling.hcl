# A module that calls the host: servers that answer, and calls that fail.

module "m" {
  grants     = ["http", "key-value", "broker.publish", "broker.lookup"]
  http_hosts = ["convert.example.net"]
}

rule "fetch" {
  hook      = "message.publish"
  module    = "m"
  action    = "fetch"
  topic     = "raw/#"
  retry_for = "0s"
  options { url = "https://convert.example.net/v1" }
}

rule "count" {
  hook      = "message.publish"
  module    = "m"
  action    = "count"
  topic     = "seen/#"
  retry_for = "0s"
}

rule "newcomers" {
  hook      = "client.authenticate"
  module    = "m"
  action    = "newcomers"
  retry_for = "0s"
}

client "old" {}

http "POST" "https://convert.example.net/v1" {
  request = "21"
  body    = "69.8"
}

http "POST" "https://convert.example.net/v1" {
  request = "hot"
  status  = 422
  headers = { content-type = "text/plain" }
  body    = "not a number"
}

# The first request is in vain, those behind it are not.
http "POST" "https://convert.example.net/v1" {
  request = "0"
  calls   = 1
  fault   = "timeout"
}

http "POST" "https://convert.example.net/v1" {
  request        = "0"
  body_base64    = "MzI="
}

event "message.publish" {
  topic   = "raw/1"
  payload = "21"
  expect {
    verdict = "replace"
    payload = "69.8"
  }
}

event "message.publish" {
  topic   = "raw/2"
  payload = "hot"
  expect {
    verdict = "deny"
    reason  = "422 with text/plain"
  }
}

event "message.publish" {
  topic   = "raw/3"
  payload = "0"
  expect {
    verdict = "failed"
  }
}

event "message.publish" {
  topic   = "raw/3"
  payload = "0"
  expect {
    verdict = "replace"
    payload = "32"
  }
}

expect {
  http "POST" "https://convert.example.net/v1" {
    headers = { x-topic = "raw/1" }
    body    = "21"
  }
  http "post" "https://convert.example.net/v1" {}
  http "POST" "https://convert.example.net/v1" {}
  http "POST" "https://convert.example.net/v1" {}
}

# Every call of the host that can fail, fails once.
fault "http" {
  kind    = "denied"
  message = "the proxy says no"
}

fault "key-value.increment" {
  kind = "saturated"
}

fault "broker.publish" {
  kind = "other"
}

fault "broker.lookup" {
  kind  = "unknown"
  after = 1
}

event "message.publish" {
  topic   = "raw/1"
  payload = "21"
  expect {
    verdict = "failed"
  }
}

event "message.publish" {
  topic = "seen/1"
  count = 2
  expect {
    verdict = "failed"
  }
}

expect {
  broker_calls = 0
  kept         = { "seen/1" = "1" }
}

event "message.publish" {
  topic = "seen/1"
}

expect {
  publish {
    topic   = "count/seen/1"
    payload = "2"
  }
  http_calls = 0
}

event "client.authenticate" {
  clientid = "old"
  expect {
    verdict = "deny"
    reason  = "known"
  }
}

event "client.authenticate" {
  clientid = "new"
  expect {
    verdict = "deny"
  }
}

event "client.authenticate" {
  clientid = "new"
  expect {
    verdict = "allow"
  }
}
