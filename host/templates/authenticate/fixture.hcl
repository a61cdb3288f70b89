# Who is let in, who is refused, and who is left to the next rule.

pool "sqlite" "main" {
  setup_file = "../tables.sql"
}

module "{{name}}" {
  grants = ["passwords"]
}

{{rule}}
event "client.authenticate" {
  username = "alice"
  password = "wonderland"
  expect {
    verdict = "allow"
  }
}

event "client.authenticate" {
  username = "alice"
  password = "looking-glass"
  expect {
    verdict     = "deny"
    reason_code = "bad user name or password"
  }
}

event "client.authenticate" {
  username = "bob"
  password = "wonderland"
  expect {
    verdict = "defer"
  }
}

# While the store cannot be read nobody is let in.
fault "main" {
  kind  = "denied"
  calls = 1
}

event "client.authenticate" {
  username = "alice"
  password = "wonderland"
  expect {
    verdict = "deny"
  }
}

expect {
  store "main" {
    statement = "SELECT hash FROM users"
    rows      = [["alice"]]
  }
  store "main" {}
  store "main" {
    rows = [["bob"]]
  }
  store "main" {}
}
