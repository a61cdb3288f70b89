// Where a message goes. Nothing here knows of WebAssembly, so that `npm test`
// runs it as it is.

// The replacement for a message whose JSON payload names a route; null where
// it names none.
export function routed(options, message) {
  const payload = json(message.payload);
  const value = payload?.[options.field];
  if (typeof value !== "string" || !isTopicLevel(value)) {
    return null;
  }
  return {
    topic: `${options.prefix}/${value.toLowerCase()}/${message.topic}`,
    payload: utf8.encode(JSON.stringify({ ...payload, [options.field]: value.toUpperCase() })),
    qos: null,
    retain: null,
    userProperties: [...message.userProperties, ["routed-from", message.topic]],
    extras: [],
  };
}

// The options of a rule, which are JSON text, with defaults for those that it
// leaves out.
export function readOptions(rule) {
  const given = Object.fromEntries(rule.options.map(([name, text]) => [name, JSON.parse(text)]));
  return { field: "kind", prefix: "routed", ...given };
}

function json(bytes) {
  try {
    const value = JSON.parse(utf8.decode(bytes));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// What may stand between two slashes of a topic name.
function isTopicLevel(text) {
  return text !== "" && text.length <= 64 && text.isWellFormed() && !/[\/+#\0]/.test(text);
}

// The engine in the component has JavaScript's own functions and not those of a
// browser or of Node: no TextDecoder. These are from before there was one.
export const utf8 = {
  decode(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 4096) {
      text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
    }
    return decodeURIComponent(escape(text));
  },
  encode(text) {
    const binary = unescape(encodeURIComponent(text));
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < bytes.length; at++) {
      bytes[at] = binary.charCodeAt(at);
    }
    return bytes;
  },
};
