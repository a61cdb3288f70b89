# A rule's own statements: values are bound, several run in order.

pool "sqlite" "main" {
  setup = "CREATE TABLE conn (clientid TEXT UNIQUE, times INTEGER DEFAULT 0); CREATE TABLE log (what TEXT, msgid TEXT, topic TEXT, clientid TEXT, qos INTEGER, payload BLOB); CREATE TRIGGER no_mice BEFORE INSERT ON conn WHEN new.clientid = 'mouse' BEGIN SELECT raise(ABORT, 'no mice here'); END;"
}

module "sqlite" {}

rule "come" {
  hook   = "client.connected"
  module = "sqlite"
  action = "sql"
  pool   = "main"
  options {
    sql = [
      "insert into conn(clientid) values(${clientid}) on conflict do nothing",
      "update conn set times = times + 1 where clientid = ${clientid}",
      "insert into log(what, clientid) select 'come ' || times, ${clientid} from conn where clientid = ${clientid}",
    ]
  }
}

rule "published" {
  hook   = "message.publish"
  module = "sqlite"
  action = "sql"
  topic  = "a/#"
  pool   = "main"
  options {
    sql = "insert into log values('published', ${msgid}, ${topic}, ${clientid}, ${qos}, ${payload})"
  }
}

rule "subscribed" {
  hook   = "session.subscribed"
  module = "sqlite"
  action = "sql"
  pool   = "main"
  options {
    sql = "insert into log(what, topic, clientid, qos) values('subscribed', ${topic}, ${clientid}, ${qos})"
  }
}

rule "created" {
  hook   = "session.created"
  module = "sqlite"
  action = "sql"
  pool   = "main"
  options {
    sql = "insert into log(what, clientid) values('created', ${clientid})"
  }
}

rule "delivered" {
  hook   = "message.delivered"
  module = "sqlite"
  action = "sql"
  pool   = "main"
  options {
    sql = "insert into log(what, msgid, topic, clientid) values('delivered', ${msgid}, ${topic}, ${clientid})"
  }
}

rule "acked" {
  hook   = "message.acked"
  module = "sqlite"
  action = "sql"
  pool   = "main"
  options {
    sql = "insert into log(what, msgid, topic, clientid) values('acked', ${msgid}, ${topic}, ${clientid})"
  }
}

# In one batch, each time of c1 sees what all statements made of the time before.
batch {
  event "client.connected" { clientid = "c1" }
  event "client.connected" { clientid = "x'); DROP TABLE log; --" }
  event "client.connected" { clientid = "c1" }
  event "client.connected" {
    clientid = "mouse"
    expect {
      verdict = "failed"
    }
  }
}

expect {
  dead_letters = 1
  log          = ["no mice here"]
  query "main" {
    statement = "SELECT clientid, times FROM conn ORDER BY clientid"
    rows      = [["c1", 2], ["x'); DROP TABLE log; --", 1]]
  }
  query "main" {
    statement = "SELECT what, clientid FROM log WHERE clientid = 'c1' ORDER BY rowid"
    rows      = [["come 1", "c1"], ["come 2", "c1"]]
  }
}

event "message.publish" {
  id             = "2PguFrHsrzEvIIBdctm1"
  topic          = "a/b"
  sender         = "s1"
  qos            = 0
  payload_base64 = "AJ//"
}

event "session.created" { clientid = "c1" }

event "session.subscribed" {
  clientid = "c1"
  filter   = "a/#"
  qos      = 2
}

event "message.deliver" {
  clientid = "c1"
  topic    = "a/b"
  id       = "2PguFrHsrzEvIIBdctm1"
}

event "message.acked" {
  clientid = "c1"
  topic    = "a/b"
  id       = "2PguFrHsrzEvIIBdctm1"
}

expect {
  query "main" {
    statement = "SELECT * FROM log WHERE what NOT LIKE 'come%' ORDER BY rowid"
    rows = [
      ["published", "2PguFrHsrzEvIIBdctm1", "a/b", "s1", 0, { base64 = "AJ//" }],
      ["created", null, null, "c1", null, null],
      ["subscribed", null, "a/#", "c1", 2, null],
      ["delivered", "2PguFrHsrzEvIIBdctm1", "a/b", "c1", null, null],
      ["acked", "2PguFrHsrzEvIIBdctm1", "a/b", "c1", null, null],
    ]
  }
}
