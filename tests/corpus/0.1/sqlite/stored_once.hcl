# Two rules on one pool store a message once; what its table has no column for stands
# beside it, written first.

pool "sqlite" "main" {}

module "sqlite" {}

rule "reliable" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  topic  = "sensors/#"
  pool   = "main"
}

rule "everything" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_store"
  topic  = "#"
  pool   = "main"
}

batch {
  event "message.publish" {
    id              = "2PguFrHsrzEvIIBdctm1"
    topic           = "sensors/1"
    expiry_s        = 60
    user_properties = [["unit", "C"], ["unit", "K"]]
  }
  event "message.publish" {
    topic = "sensors/2"
    qos   = 0
  }
  event "message.publish" { topic = "other" }
}

expect {
  query "main" {
    statement = "SELECT topic, qos FROM mqtt_msg ORDER BY topic"
    rows      = [["other", 1], ["sensors/1", 1], ["sensors/2", 0]]
  }
  query "main" {
    statement = "SELECT msgid, expires_at_ms, properties FROM hookwire_msg"
    rows      = [["2PguFrHsrzEvIIBdctm1", 1479202900000, "[[\"unit\",\"C\"],[\"unit\",\"K\"]]"]]
  }
  query "main" {
    statement = "SELECT m.topic FROM mqtt_msg AS m JOIN hookwire_msg AS b ON b.msgid = m.msgid"
    rows      = [["sensors/1"]]
  }
}

# What stands beside is not written: the message is neither, and is sent again.
fault "main" {
  kind      = "unavailable"
  code      = "sqlite:13"
  statement = "hookwire_msg"
  retryable = true
}

event "message.publish" {
  topic    = "sensors/3"
  expiry_s = 5
}

expect {
  query "main" {
    statement = "SELECT count(*) FROM mqtt_msg AS m JOIN hookwire_msg AS b ON b.msgid = m.msgid WHERE m.topic = 'sensors/3'"
    rows      = [[1]]
  }
}
