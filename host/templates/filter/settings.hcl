module "{{name}}" {
  path = "target/{{name}}.wasm"
}
