# What one publisher's messages were acknowledged up to says nothing of another's, and a
# position of the topic that was there before counts for those that have none.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_msg (id, msgid, topic, sender, qos, payload, arrived) VALUES (1, '2PguFrHsrzEvIIBdctm1', 't', 'p', 1, 'before', '2016-11-15 09:00:00'), (2, '2PguFrHsrzEvIIBdctm2', 't', 'p', 1, 'p 1', '2016-11-15 09:00:00'), (3, '2PguFrHsrzEvIIBdctm3', 't', 'q', 1, 'q 1', '2016-11-15 09:00:00'), (4, '2PguFrHsrzEvIIBdctm4', 't', 'p', 1, 'p 2', '2016-11-15 09:00:00'), (5, '2PguFrHsrzEvIIBdctm5', 't', 'q', 1, 'q 2', '2016-11-15 09:00:00'); INSERT INTO hookwire_floor (clientid, filter, mid) VALUES ('c', 't', 0); INSERT INTO mqtt_acked (clientid, topic, mid) VALUES ('c', 't', 1)"
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

event "session.fetch" {
  clientid = "c"
  filter   = "t"
  expect {
    verdict  = "page"
    messages = ["t p 1", "t q 1", "t p 2", "t q 2"]
  }
}

event "message.position" {
  clientid = "c"
  topic    = "t"
  id       = "2PguFrHsrzEvIIBdctm3"
}

event "session.fetch" {
  clientid = "c"
  filter   = "t"
  expect {
    verdict  = "page"
    messages = ["t p 1", "t p 2", "t q 2"]
  }
}

event "message.position" {
  clientid = "c"
  topic    = "t"
  id       = "2PguFrHsrzEvIIBdctm4"
}

# An older one moves nothing back.
event "message.position" {
  clientid = "c"
  topic    = "t"
  id       = "2PguFrHsrzEvIIBdctm2"
}

event "session.fetch" {
  clientid = "c"
  filter   = "t"
  expect {
    verdict  = "page"
    messages = ["t q 2"]
  }
}

expect {
  query "main" {
    statement = "SELECT topic, sender, mid FROM hookwire_acked ORDER BY sender"
    rows      = [["t", "p", 4], ["t", "q", 3]]
  }
  query "main" {
    statement = "SELECT clientid, topic, mid FROM mqtt_acked"
    rows      = [["c", "t", 4]]
  }
}
