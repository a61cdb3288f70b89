# What a business server wrote into mqtt_sub is subscribed to on a client's behalf;
# what a client subscribes to is written there, and the two do not touch each other.

pool "sqlite" "main" {
  setup = "INSERT INTO mqtt_sub (clientid, topic, qos) VALUES ('c1', 'news/#', 1), ('c1', 'a/#/b', 1), ('c1', 'orders', 5), ('c1', NULL, 1), ('c1', 'alerts', NULL), ('c1', '$share/g/jobs', 2), ('c2', 'other', 0)"
}

module "sqlite" {}

rule "look-up" {
  hook   = "session.created"
  module = "sqlite"
  action = "on_subscribe_lookup"
  pool   = "main"
}

rule "made" {
  hook   = "session.subscribed"
  module = "sqlite"
  action = "on_subscription_store"
  pool   = "main"
}

rule "ended" {
  hook   = "session.unsubscribed"
  module = "sqlite"
  action = "on_subscription_delete"
  pool   = "main"
}

rule "session-over" {
  hook   = "session.terminated"
  module = "sqlite"
  action = "on_subscription_delete"
  pool   = "main"
}

# Rows that name no subscription are left out, and the others taken.
event "session.created" {
  clientid = "c1"
  expect {
    verdict       = "restore"
    subscriptions = ["news/#", "$share/g/jobs"]
    is_present    = false
  }
}

event "session.created" {
  clientid = "c3"
  expect {
    verdict = "proceed"
  }
}

expect {
  metrics = { bad_subscription_rows = 4 }
  log     = ["\"a/#/b\" is no topic filter", "\"orders\" has QoS 5", "NULL", "NULL"]
}

# One that the business server has too, and one of its own, changed by a second
# SUBSCRIBE.
batch {
  event "session.subscribed" {
    clientid = "c1"
    filter   = "news/#"
    qos      = 2
  }
  event "session.subscribed" {
    clientid            = "c1"
    filter              = "own/+"
    qos                 = 1
    no_local            = true
    retain_as_published = true
    retain_handling     = 2
    identifier          = 7
  }
  event "session.subscribed" {
    clientid            = "c1"
    filter              = "own/+"
    qos                 = 2
    is_new              = false
    retain_as_published = true
    identifier          = 8
  }
}

expect {
  store "main" {
    statement = "INSERT INTO hookwire_sub"
    rows = [
      ["c1", "news/#", 2, 0, 0, 0, null],
      ["c1", "own/+", 1, 1, 1, 2, 7],
      ["c1", "own/+", 2, 0, 1, 0, 8],
    ]
  }
  query "main" {
    statement = "SELECT id, topic, qos FROM mqtt_sub WHERE clientid = 'c1' AND id IN (1, 8, 9) ORDER BY id"
    rows      = [[1, "news/#", 1], [8, "own/+", 2]]
  }
  query "main" {
    statement = "SELECT topic, qos, no_local, retain_as_published, retain_handling, identifier, mqtt_sub_id FROM hookwire_sub ORDER BY topic"
    rows      = [["news/#", 2, 0, 0, 0, null, null], ["own/+", 2, 0, 1, 0, 8, 8]]
  }
}

# A session that is gone without having ended finds what the client subscribed to,
# but for one that starts clean.
event "session.created" {
  clientid = "c1"
  connection { clean_start = false }
  expect {
    verdict       = "restore"
    subscriptions = ["news/#", "$share/g/jobs", "own/+"]
  }
}

event "session.created" {
  clientid = "c1"
  expect {
    verdict       = "restore"
    subscriptions = ["news/#", "$share/g/jobs"]
  }
}

# The row of the business server stays.
batch {
  event "session.unsubscribed" {
    clientid = "c1"
    filter   = "news/#"
  }
  event "session.subscribed" {
    clientid = "c1"
    filter   = "second"
    qos      = 0
  }
}

expect {
  query "main" {
    statement = "SELECT topic, qos FROM mqtt_sub WHERE clientid = 'c1' AND id IN (1, 8, 9) ORDER BY id"
    rows      = [["news/#", 1], ["own/+", 2], ["second", 0]]
  }
}

event "session.terminated" {
  clientid = "c1"
  reason   = "expired"
}

expect {
  query "main" {
    statement = "SELECT topic, qos FROM mqtt_sub WHERE clientid = 'c1' AND id IN (1, 8, 9) ORDER BY id"
    rows      = [["news/#", 1]]
  }
  query "main" {
    statement = "SELECT count(*) FROM hookwire_sub"
    rows      = [[0]]
  }
  query "main" {
    statement = "SELECT topic FROM mqtt_sub WHERE clientid = 'c2'"
    rows      = [["other"]]
  }
}
