# What is not stored is not acknowledged, and takes nothing else with it.

pool "sqlite" "main" {
  setup = "CREATE TRIGGER no_cats BEFORE INSERT ON mqtt_msg WHEN new.topic = 'cats' BEGIN SELECT raise(ABORT, 'no cats here'); END;"
}

module "sqlite" {}

rule "store" {
  hook      = "message.publish"
  module    = "sqlite"
  action    = "on_message_publish"
  pool      = "main"
  retry_for = "0s"
}

rule "online" {
  hook      = "client.connected"
  module    = "sqlite"
  action    = "on_client_connected"
  pool      = "main"
  retry_for = "0s"
}

# A row that the store refuses fails its message alone.
batch {
  event "message.publish" { topic = "dogs" }
  event "message.publish" {
    topic = "cats"
    expect {
      verdict = "failed"
      reason  = "refused the data (sqlite:19)"
    }
  }
  event "message.publish" { topic = "birds" }
}

expect {
  query "main" {
    statement = "SELECT topic FROM mqtt_msg ORDER BY id"
    rows      = [["dogs"], ["birds"]]
  }
  dead_letters = 1
  log          = ["no cats here"]
}

# A full disk fails the whole call; sent again, the message is stored.
fault "main" {
  kind      = "unavailable"
  code      = "sqlite:13"
  message   = "database or disk is full"
  statement = "mqtt_msg"
}

batch {
  event "message.publish" {
    topic = "dogs"
    expect {
      verdict = "failed"
      reason  = "is not available (sqlite:13)"
    }
  }
  event "message.publish" {
    topic = "birds"
    expect {
      verdict = "failed"
    }
  }
}

event "message.publish" { topic = "dogs" }

expect {
  query "main" {
    statement = "SELECT topic FROM mqtt_msg ORDER BY id"
    rows      = [["dogs"], ["birds"], ["dogs"]]
  }
}

# Half of a batch does not come through.
fault "main" {
  kind = "refused"
  rows = [1]
}

batch {
  event "message.publish" { topic = "owls" }
  event "message.publish" {
    topic = "bats"
    expect {
      verdict = "failed"
    }
  }
}

# Presence that cannot be written is put among the dead letters.
fault "main" { kind = "timeout" }

event "client.connected" {
  clientid = "c1"
  expect {
    verdict = "failed"
  }
}

expect {
  query "main" {
    statement = "SELECT count(*) FROM mqtt_client"
    rows      = [[0]]
  }
  query "main" {
    statement = "SELECT topic FROM mqtt_msg WHERE topic IN ('owls', 'bats')"
    rows      = [["owls"]]
  }
  dead_letters = 3
}
