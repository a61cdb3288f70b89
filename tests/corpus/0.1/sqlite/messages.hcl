# Messages with QoS 1 and 2 become rows of mqtt_msg; PUBACK waits for the row.

pool "sqlite" "main" {}

module "sqlite" {}

rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  topic  = "sensors/#"
  pool   = "main"
}

batch {
  event "message.publish" {
    id      = "2PguFrHsrzEvIIBdctmb"
    topic   = "sensors/1"
    sender  = "s1"
    payload = "21.5"
  }
  event "message.publish" {
    topic          = "sensors/2"
    payload_base64 = "AJ//"
    qos            = 2
    retain         = true
  }
}

# No row for these: QoS 0, and a topic that is not the rule's.
event "message.publish" {
  topic = "sensors/1"
  qos   = 0
}

event "message.publish" {
  topic = "other"
}

clock { advance = "5m" }

event "message.publish" {
  topic = "sensors/1"
}

expect {
  store "main" {
    statement = "INSERT INTO mqtt_msg (msgid, sender, topic, node, qos, retain, payload, arrived)"
    rows = [
      ["2PguFrHsrzEvIIBdctmb", "s1", "sensors/1", "hookwire@test", 1, 0, "21.5", "2016-11-15 09:40:40"],
      [any, "publisher", "sensors/2", "hookwire@test", 2, 1, { base64 = "AJ//" }, "2016-11-15 09:40:40"],
    ]
  }
  store "main" {
    rows = [[any, "publisher", "sensors/1", "hookwire@test", 1, 0, "", "2016-11-15 09:45:40"]]
  }
  query "main" {
    statement = "SELECT topic, sender, cast(payload AS text), arrived FROM mqtt_msg WHERE id = 1"
    rows      = [["sensors/1", "s1", "21.5", "2016-11-15 09:40:40"]]
  }
  query "main" {
    statement = "SELECT count(*) FROM mqtt_msg"
    rows      = [[3]]
  }
}
