pool "sqlite" "main" {
  file = "hookwire.db"
}

module "{{name}}" {
  path = "target/{{name}}.wasm"
}
