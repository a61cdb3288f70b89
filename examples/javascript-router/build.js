// Makes router.wasm of router.js: the component that the broker loads.

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentize } from "componentize-qjs";

const here = dirname(fileURLToPath(import.meta.url));
// Where the repository's wit/ is, and where the component goes.
const interfaces = process.env.HOOKWIRE_WIT ?? join(here, "../../wit");
const output = process.argv[2] ?? join(here, "router.wasm");

// The tool wants a world's dependencies in deps/, beside it.
const wit = `${output}.wit`;
await rm(wit, { recursive: true, force: true });
await mkdir(join(wit, "deps"), { recursive: true });
await cp(join(here, "wit/router.wit"), join(wit, "router.wit"));
for (const name of ["types", "host", "broker", "sql", "rule"]) {
  await cp(join(interfaces, name), join(wit, "deps", name), { recursive: true });
}

const entry = join(here, "router.js");
const { component } = await componentize({
  witPath: wit,
  world: "router",
  jsSource: await readFile(entry, "utf8"),
  jsPath: entry,
  moduleRoot: here,
  sync: true,
});
await writeFile(output, component);
await rm(wit, { recursive: true });
console.log(`${output}: ${(component.length / 1024).toFixed(1)} KB`);
