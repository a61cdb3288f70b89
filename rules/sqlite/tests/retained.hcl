# The newest message id wins, whatever the order; nothing comes back that is older than
# its topic's deletion.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_retain (topic, msgid, payload) VALUES ('foreign', '53F33F7E4741E7007000004B70001', 'theirs'), ('nobody', NULL, 'theirs'), ('signs', 'zzzzzzzzzzzzzzzzzz==', 'theirs')"
}

module "sqlite" {}

rule "retain" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_retain"
  pool   = "main"
}

rule "delete" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_retain_delete"
  pool   = "main"
}

batch {
  event "message.publish" {
    id              = "2PguFrHsrzEvIIBdctm5"
    topic           = "a/1"
    payload         = "new"
    qos             = 2
    retain          = true
    user_properties = { unit = "C" }
  }
  # Late, by a spool or another worker.
  event "message.publish" {
    id      = "2PguFrHsrzEvIIBdctm4"
    topic   = "a/1"
    payload = "old"
    retain  = true
  }
  event "message.publish" {
    id      = "2PguFrHsrzEvIIBdctm6"
    topic   = "foreign"
    payload = "ours"
    retain  = true
  }
  event "message.publish" {
    topic   = "nobody"
    payload = "ours"
    retain  = true
  }
  event "message.publish" {
    topic   = "signs"
    payload = "ours"
    qos     = 0
    retain  = true
  }
  # Not for these rules.
  event "message.publish" {
    topic   = "a/2"
    payload = "not retained"
  }
  event "message.publish" { topic = "a/1" }
}

expect {
  query "main" {
    statement = "SELECT topic, cast(payload AS text), qos FROM mqtt_retain ORDER BY topic"
    rows = [
      ["a/1", "new", 2],
      ["foreign", "ours", 1],
      ["nobody", "ours", 1],
      ["signs", "ours", 0],
    ]
  }
  query "main" {
    statement = "SELECT sender, node, arrived FROM mqtt_retain WHERE topic = 'a/1'"
    rows      = [["publisher", "hookwire@test", "2016-11-15 09:40:40"]]
  }
  query "main" {
    statement = "SELECT b.properties FROM mqtt_retain AS r JOIN hookwire_msg AS b ON b.msgid = r.msgid"
    rows      = [["[[\"unit\",\"C\"]]"]]
  }
}

# The first comes late, and deletes nothing; the second does.
event "message.publish" {
  id     = "2PguFrHsrzEvIIBdctm3"
  topic  = "a/1"
  retain = true
}

expect {
  query "main" {
    statement = "SELECT cast(payload AS text) FROM mqtt_retain WHERE topic = 'a/1'"
    rows      = [["new"]]
  }
}

batch {
  event "message.publish" {
    id     = "2PguFrHsrzEvIIBdctm8"
    topic  = "a/1"
    retain = true
  }
  event "message.publish" {
    id     = "2PguFrHsrzEvIIBdctm7"
    topic  = "a/1"
    retain = true
  }
}

expect {
  query "main" {
    statement = "SELECT count(*) FROM mqtt_retain WHERE topic = 'a/1'"
    rows      = [[0]]
  }
}

event "message.publish" {
  id      = "2PguFrHsrzEvIIBdctm7"
  topic   = "a/1"
  payload = "stored late"
  retain  = true
}

expect {
  query "main" {
    statement = "SELECT count(*) FROM mqtt_retain WHERE topic = 'a/1'"
    rows      = [[0]]
  }
}

batch {
  event "message.publish" {
    id      = "2PguFrHsrzEvIIBdctm9"
    topic   = "a/1"
    payload = "newest"
    retain  = true
  }
  event "message.publish" {
    id     = "2PguFrHsrzEvIIBdctm6"
    topic  = "foreign"
    retain = true
  }
}

expect {
  query "main" {
    statement = "SELECT topic, cast(payload AS text) FROM mqtt_retain WHERE topic IN ('a/1', 'foreign') ORDER BY topic"
    rows      = [["a/1", "newest"], ["foreign", "ours"]]
  }
  # The range of topics that a look-up of `a/#` reads, and one that begins with a
  # wildcard.
  query "main" {
    statement = "SELECT r.topic, b.expires_at_ms FROM mqtt_retain AS r LEFT JOIN hookwire_msg AS b ON b.msgid = r.msgid WHERE r.topic >= 'a' AND r.topic < 'a0' ORDER BY r.topic"
    rows      = [["a/1", null]]
  }
  query "main" {
    statement = "SELECT topic FROM mqtt_retain WHERE topic >= '' AND topic < x'' ORDER BY topic"
    rows      = [["a/1"], ["foreign"], ["nobody"], ["signs"]]
  }
}
