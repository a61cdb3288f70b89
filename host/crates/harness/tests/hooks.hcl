# The runtime's test module on every kind of hook: what a fixture can hand over,
# and what it can expect.

pool "sqlite" "main" {
  setup = <<-SQL
    CREATE TABLE times (now_ms INTEGER, advances INTEGER);
  SQL
}

module "m" {
  grants = ["clock", "broker.publish"]
}

rule "connect" {
  hook   = "client.connect"
  module = "m"
  action = "no"
}

rule "authenticate" {
  hook   = "client.authenticate"
  module = "m"
  action = "challenge"
}

rule "authorize" {
  hook   = "client.authorize"
  module = "m"
  action = "allow"
  topic  = "mine/#"
}

rule "forbid" {
  hook   = "client.authorize"
  module = "m"
  action = "no"
  topic  = "theirs/#"
}

rule "create" {
  hook   = "session.created"
  module = "m"
  action = "restore"
}

rule "subscribe" {
  hook   = "client.subscribe"
  module = "m"
  action = "filter"
  topic  = "a/#"
}

rule "unsubscribe" {
  hook   = "client.unsubscribe"
  module = "m"
  action = "no"
}

rule "rewrite" {
  hook   = "message.publish"
  module = "m"
  action = "rewrite"
  topic  = "in/#"
  options {
    topic  = "out"
    suffix = "!"
  }
}

rule "drop" {
  hook   = "message.publish"
  module = "m"
  action = "drop"
  topic  = "drop"
}

rule "disconnect" {
  hook   = "message.publish"
  module = "m"
  action = "disconnect"
  topic  = "disconnect"
}

rule "trap" {
  hook   = "message.publish"
  module = "m"
  action = "panic"
  topic  = "panic"
}

rule "echo" {
  hook   = "message.publish"
  module = "m"
  action = "publish"
  topic  = "echo"
  options {
    topic = "echoed"
  }
}

rule "time" {
  hook   = "message.publish"
  module = "m"
  action = "time"
  topic  = "time"
  pool   = "main"
}

rule "deliver" {
  hook   = "message.deliver"
  module = "m"
  action = "rename"
}

rule "acked" {
  hook   = "message.acked"
  module = "m"
  action = "noop"
}

rule "dropped" {
  hook   = "message.dropped"
  module = "m"
  action = "fail"
  options {
    kind = "refused"
  }
}

rule "subscribed" {
  hook   = "session.subscribed"
  module = "m"
  action = "noop"
}

event "client.connect" {
  expect {
    verdict     = "deny"
    reason_code = "0x87"
    reason      = "on purpose"
  }
}

event "client.authenticate" {
  method = "M"
  expect {
    verdict = "challenge"
    data    = "who?"
  }
}

event "client.authenticate" {
  step        = "continue"
  method      = "M"
  data_base64 = "bWU="
  expect {
    verdict = "allow"
  }
}

event "client.authorize" {
  topic = "mine/1"
  expect {
    verdict = "allow"
    keep    = "5ms"
  }
}

event "client.authorize" {
  operation = "subscribe"
  topic     = "theirs/#"
  expect {
    verdict     = "deny"
    reason_code = "not authorized"
  }
}

event "client.authorize" {
  topic = "nobody/s"
}

event "session.created" {
  clientid = "c7"
  expect {
    verdict       = "restore"
    subscriptions = ["restored/create"]
    is_present    = false
  }
}

event "client.subscribe" {
  filter = "a/+"
  qos    = 2
  expect {
    verdict = "replace"
    filter  = "other/filter"
    qos     = 0
  }
}

event "client.unsubscribe" {
  filter = "a/+"
  expect {
    verdict = "deny"
  }
}

event "message.publish" {
  topic   = "in/1"
  payload = "hot"
  expect {
    verdict         = "replace"
    topic           = "out"
    payload         = "hot!"
    qos             = 1
    retain          = false
    user_properties = { by = "rewrite" }
  }
}

event "message.publish" {
  topic = "drop"
  expect {
    verdict = "drop"
  }
}

event "message.publish" {
  topic = "disconnect"
  expect {
    verdict     = "disconnect"
    reason_code = 135
  }
}

# A panic is told, and takes only its own message with it.
batch {
  event "message.publish" { topic = "panic" }
  event "message.publish" {
    topic   = "panic"
    payload = "boom"
    expect {
      verdict = "failed"
    }
  }
  event "message.publish" { topic = "panic" }
}

expect {
  log          = ["the module trapped"]
  broker_calls = 0
  store_calls  = 0
}

event "message.publish" {
  topic   = "echo"
  payload = "hello"
}

expect {
  publish {
    topic   = "echoed"
    payload = "hello"
    qos     = 1
    retain  = false
  }
}

event "message.publish" { topic = "time" }
clock { advance = "90s" }
event "message.publish" { topic = "time" }

expect {
  query "main" {
    statement = "SELECT now_ms FROM times ORDER BY now_ms"
    rows      = [[1479202840000], [1479202930000]]
  }
}

event "message.deliver" {
  topic = "a"
  expect {
    verdict = "replace"
    topic   = "renamed"
  }
}

event "message.acked" {
  topic    = "a"
  clientid = "c7"
  count    = 2
}

event "session.subscribed" { filter = "a/#" }

event "message.dropped" {
  topic    = "a"
  reason   = "no-subscriber"
  receiver = false
  expect {
    verdict = "failed"
  }
}

# Of events that nobody waits for, a batch only tells how many failed.
batch {
  event "message.dropped" {
    topic = "a"
    expect {
      verdict = "failed"
    }
  }
  event "message.acked" { topic = "a" }
}
