module "{{name}}" {
  path   = "target/{{name}}.wasm"
  grants = ["key-value"]
}
