# The newest message id wins, whatever the order; nothing comes back that is older than
# its topic's deletion.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_retain (topic, msgid, payload) VALUES ('foreign', '53F33F7E4741E7007000004B70001', 'theirs'), ('nobody', NULL, 'theirs'), ('signs', 'zzzzzzzzzzzzzzzzzz==', 'theirs'), ('theirs', NULL, 'written')"
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
      ["theirs", "written", null],
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
}

rule "look-up" {
  hook   = "session.subscribed"
  module = "sqlite"
  action = "on_retain_lookup"
  pool   = "main"
}

event "message.publish" {
  id              = "2PguFrHsrzEvIIBdctmA"
  topic           = "a"
  payload         = "parent"
  qos             = 2
  retain          = true
  expiry_s        = 3600
  user_properties = { unit = "C" }
}

event "message.publish" {
  id     = "2PguFrHsrzEvIIBdctmB"
  topic  = "a/0"
  retain = true
}

event "session.retained" {
  filter = "a/1"
  expect {
    verdict  = "page"
    messages = ["a/1 newest"]
    next     = ""
  }
}

# What was deleted is told, so that it does not come from elsewhere.
event "session.retained" {
  filter = "a/0"
  expect {
    verdict  = "page"
    messages = ["a/0 "]
    next     = ""
  }
}

event "session.retained" {
  filter = "a/2"
  expect {
    verdict  = "page"
    messages = []
    next     = ""
  }
}

event "session.retained" {
  filter = "a/#"
  expect {
    verdict  = "page"
    messages = ["a parent", "a/0 ", "a/1 newest"]
    next     = ""
  }
}

event "session.retained" {
  filter       = "#"
  max_messages = 2
  expect {
    verdict  = "page"
    messages = ["a parent", "a/0 ", "a/1 newest"]
    next     = "a/1"
  }
}

# Also what a business server wrote.
event "session.retained" {
  filter       = "#"
  cursor       = "a/1"
  max_messages = 8
  expect {
    verdict  = "page"
    messages = ["foreign ours", "nobody ours", "signs ours", "theirs written"]
    next     = ""
  }
}
