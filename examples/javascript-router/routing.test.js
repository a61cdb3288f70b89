import assert from "node:assert/strict";
import { test } from "node:test";

import { readOptions, routed, utf8 } from "./routing.js";

const OPTIONS = { field: "kind", prefix: "routed" };

function message(payload, userProperties = []) {
  return { topic: "inbox/7", payload: new TextEncoder().encode(payload), userProperties };
}

test("a message goes where its payload says", () => {
  const change = routed(OPTIONS, message('{"kind": "Alarm", "text": "zu heiß"}', [["a", "b"]]));
  assert.equal(change.topic, "routed/alarm/inbox/7");
  assert.equal(new TextDecoder().decode(change.payload), '{"kind":"ALARM","text":"zu heiß"}');
  assert.deepEqual(change.userProperties, [["a", "b"], ["routed-from", "inbox/7"]]);
});

test("what names no route stays as it is", () => {
  const payloads = [
    "", "no json", "7", "null", '["kind"]', "{}", '{"kind": 7}', '{"kind": ""}',
    '{"kind": "\\ud800"}', '{"kind": "a/b"}', '{"kind": "#"}', '{"kind": "+"}', '{"kind": "\\u0000"}',
    JSON.stringify({ kind: "x".repeat(65) }),
  ];
  for (const payload of payloads) {
    assert.equal(routed(OPTIONS, message(payload)), null, payload);
  }
  const notText = { ...message(""), payload: new Uint8Array([0xff, 0xfe]) };
  assert.equal(routed(OPTIONS, notText), null);
});

test("options have defaults", () => {
  assert.deepEqual(readOptions({ options: [] }), { field: "kind", prefix: "routed" });
  const given = readOptions({ options: [["prefix", '"by-kind"']] });
  assert.deepEqual(given, { field: "kind", prefix: "by-kind" });
});

test("text and bytes are each other's", () => {
  for (const text of ["", "abc", "zu heiß", "𝄞 and ☃", "x".repeat(10_000)]) {
    const bytes = utf8.encode(text);
    assert.deepEqual(bytes, new TextEncoder().encode(text));
    assert.equal(utf8.decode(bytes), text);
  }
});
