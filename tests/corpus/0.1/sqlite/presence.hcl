# A client has one row of mqtt_client, which says whether it is there.

pool "sqlite" "main" {}

module "sqlite" {}

rule "online" {
  hook   = "client.connected"
  module = "sqlite"
  action = "on_client_connected"
  pool   = "main"
}

rule "offline" {
  hook   = "client.disconnected"
  module = "sqlite"
  action = "on_client_disconnected"
  pool   = "main"
}

batch {
  event "client.connected" { clientid = "c1" }
  event "client.connected" { clientid = "c2" }
}

expect {
  store "main" {
    statement = "INSERT INTO mqtt_client"
    rows = [
      ["c1", "hookwire@test", "2016-11-15 09:40:40"],
      ["c2", "hookwire@test", "2016-11-15 09:40:40"],
    ]
  }
  query "main" {
    statement = "SELECT clientid, state, node, online_at, offline_at FROM mqtt_client ORDER BY id"
    rows = [
      ["c1", "1", "hookwire@test", "2016-11-15 09:40:40", null],
      ["c2", "1", "hookwire@test", "2016-11-15 09:40:40", null],
    ]
  }
}

clock { advance = "330s" }

event "client.disconnected" {
  clientid = "c1"
  reason   = "keep-alive"
}

# One that was here before the store was.
event "client.disconnected" { clientid = "c3" }

expect {
  query "main" {
    statement = "SELECT clientid, state, online_at, offline_at FROM mqtt_client ORDER BY id"
    rows = [
      ["c1", "0", "2016-11-15 09:40:40", "2016-11-15 09:46:10"],
      ["c2", "1", "2016-11-15 09:40:40", null],
      ["c3", "0", null, "2016-11-15 09:46:10"],
    ]
  }
}

clock { advance = "1h" }

event "client.connected" { clientid = "c1" }

expect {
  query "main" {
    statement = "SELECT state, online_at, offline_at FROM mqtt_client WHERE clientid = 'c1'"
    rows      = [["1", "2016-11-15 10:46:10", null]]
  }
}
