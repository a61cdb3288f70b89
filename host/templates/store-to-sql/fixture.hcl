# Rows that are written, and what becomes of messages without one.

pool "sqlite" "main" {
  setup_file = "../tables.sql"
}

module "{{name}}" {}

{{rule}}
batch {
  event "message.publish" {
    topic   = "sensors/1"
    sender  = "s1"
    payload = "21.5"
  }
  event "message.publish" {
    topic   = "sensors/1"
    payload = "warm"
    expect {
      verdict     = "deny"
      reason_code = "payload format invalid"
    }
  }
  event "message.publish" {
    topic   = "sensors/2"
    sender  = "s2"
    payload = "22"
  }
}

expect {
  store "main" {
    statement = "INSERT INTO readings"
    rows = [
      ["sensors/1", "s1", 21.5, 1479202840000],
      ["sensors/2", "s2", 22, 1479202840000],
    ]
  }
  query "main" {
    statement = "SELECT device, value FROM readings ORDER BY id"
    rows      = [["s1", 21.5], ["s2", 22]]
  }
}

# A store that refuses a row fails that message: its publisher is not told that
# it arrived.
fault "main" {
  kind = "refused"
  rows = [1]
}

batch {
  event "message.publish" {
    topic   = "sensors/1"
    payload = "23"
  }
  event "message.publish" {
    topic   = "sensors/2"
    payload = "24"
    expect {
      verdict = "failed"
    }
  }
}
