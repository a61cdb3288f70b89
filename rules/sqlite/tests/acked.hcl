# Read positions point at rows of mqtt_msg, and only go forward.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_msg (id, msgid, topic, arrived) VALUES (1, '2PguFrHsrzEvIIBdctm1', 'a', ''), (2, '2PguFrHsrzEvIIBdctm2', 'a', ''), (3, '2PguFrHsrzEvIIBdctm3', 'b', ''), (9, '2PguFrHsrzEvIIBdctm2', 'a', ''), (10, '2PguFrHsrzEvIIBdctm3', 'd', '')"
}

module "sqlite" {}

rule "acked" {
  hook   = "message.acked"
  module = "sqlite"
  action = "on_message_acked"
  pool   = "main"
}

rule "forget" {
  hook   = "session.unsubscribed"
  module = "sqlite"
  action = "on_acked_delete"
  pool   = "main"
}

batch {
  # The second row of the same message is a copy: what lies between is not read yet.
  event "message.acked" {
    clientid = "c1"
    topic    = "a"
    id       = "2PguFrHsrzEvIIBdctm2"
  }
  event "message.acked" {
    clientid = "c1"
    topic    = "a"
    id       = "2PguFrHsrzEvIIBdctm1"
  }
  event "message.acked" {
    clientid = "c2"
    topic    = "a"
    id       = "2PguFrHsrzEvIIBdctm1"
  }
  event "message.acked" {
    clientid = "c1"
    topic    = "b"
    id       = "2PguFrHsrzEvIIBdctm3"
  }
  # Another writer gave an id again, on another topic.
  event "message.acked" {
    clientid = "c4"
    topic    = "d"
    id       = "2PguFrHsrzEvIIBdctm3"
  }
  # Without a row.
  event "message.acked" {
    clientid = "c3"
    topic    = "a"
  }
}

expect {
  query "main" {
    statement = "SELECT clientid, topic, mid FROM mqtt_acked ORDER BY clientid, topic"
    rows      = [["c1", "a", 2], ["c1", "b", 3], ["c2", "a", 1], ["c4", "d", 10]]
  }
}

# Positions are of one publisher each, NULL included; mqtt_acked has the newest.
expect {
  query "main" {
    statement = "SELECT clientid, topic, sender, mid FROM hookwire_acked WHERE clientid = 'c1' ORDER BY topic"
    rows      = [["c1", "a", "", 2], ["c1", "b", "", 3]]
  }
}

event "session.unsubscribed" {
  clientid = "c1"
  filter   = "a"
}

expect {
  query "main" {
    statement = "SELECT clientid, topic, mid FROM mqtt_acked ORDER BY clientid, topic"
    rows      = [["c1", "b", 3], ["c2", "a", 1], ["c4", "d", 10]]
  }
}

expect {
  query "main" {
    statement = "SELECT clientid, topic, mid FROM hookwire_acked ORDER BY clientid, topic"
    rows      = [["c1", "b", 3], ["c2", "a", 1], ["c4", "d", 10]]
  }
}
