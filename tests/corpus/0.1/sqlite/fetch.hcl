# What is stored for a subscription comes page by page, behind the client's place.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_msg (id, msgid, topic, sender, qos, payload, arrived) VALUES (1, '2PguFrHsrzEvIIBdctm1', 'a/b', 'p', 1, 'before', '2016-11-15 09:00:00'), (2, '2PguFrHsrzEvIIBdctm2', 'a/b', 'p', 1, 'just before', '2016-11-15 09:40:00'); INSERT INTO hookwire_floor (clientid, filter, mid) VALUES ('old', 'a/#', 0), ('old', 'a/b', 0); INSERT INTO mqtt_acked (clientid, topic, mid) VALUES ('old', 'a/b', 1)"
}

module "sqlite" {}

rule "fetch" {
  hook   = "session.subscribed"
  module = "sqlite"
  action = "on_message_fetch"
  pool   = "main"
}

rule "acked" {
  hook   = "message.acked"
  module = "sqlite"
  action = "on_message_acked"
  pool   = "main"
}

rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  pool   = "main"
}

# A subscription begins with what comes behind it.
event "session.fetch" {
  clientid = "new"
  filter   = "a/b"
  begins   = true
  expect {
    verdict  = "page"
    messages = []
    next     = ""
  }
}

expect {
  query "main" {
    statement = "SELECT clientid, filter, mid FROM hookwire_floor WHERE clientid = 'new'"
    rows      = [["new", "a/b", 2]]
  }
}

event "message.publish" {
  topic    = "a/b"
  payload  = "first"
  expiry_s = 3600
}

event "message.publish" {
  topic   = "a/c"
  payload = "second"
}

event "message.publish" {
  topic   = "a0"
  payload = "of another topic"
}

event "session.fetch" {
  clientid = "new"
  filter   = "a/b"
  expect {
    verdict  = "page"
    messages = ["a/b first"]
    next     = ""
  }
}

# To subscribe again does not move the place.
event "session.fetch" {
  clientid = "new"
  filter   = "a/b"
  begins   = true
  expect {
    verdict  = "page"
    messages = ["a/b first"]
  }
}

# Wildcards, in pages of two, behind the position on each topic.
event "session.fetch" {
  clientid     = "old"
  filter       = "a/#"
  max_messages = 2
  expect {
    verdict  = "page"
    messages = ["a/b just before", "a/b first"]
    next     = "3"
  }
}

event "session.fetch" {
  clientid     = "old"
  filter       = "a/#"
  cursor       = "3"
  max_messages = 2
  expect {
    verdict  = "page"
    messages = ["a/c second"]
    next     = ""
  }
}

event "message.position" {
  clientid = "old"
  topic    = "a/b"
  id       = "2PguFrHsrzEvIIBdctm2"
}

event "session.fetch" {
  clientid = "old"
  filter   = "+/b"
  expect {
    verdict  = "page"
    messages = ["a/b first"]
    next     = ""
  }
}

event "session.fetch" {
  clientid = "old"
  filter   = "a/b"
  cursor   = "somewhere"
  expect {
    verdict = "deny"
  }
}
