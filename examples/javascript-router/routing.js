// Where a message goes. Nothing here knows of WebAssembly, so that `npm test`
// runs it as it is.

/// The replacement for a message whose JSON payload names a route; null where
/// it names none.
///
/// `rule` is a rule as the broker configured it: its options are JSON text.
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

/// The options of a rule, with defaults for those that it leaves out.
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

/// What may stand between two slashes of a topic name.
function isTopicLevel(text) {
  return text !== "" && text.length <= 64 && !/[\/+#\0]/.test(text);
}

// The engine in the component has JavaScript's own objects and not those of a
// browser or of Node: no TextDecoder.
export const utf8 = {
  decode(bytes) {
    let escaped = "";
    for (const byte of bytes) {
      escaped += "%" + byte.toString(16).padStart(2, "0");
    }
    return decodeURIComponent(escaped);
  },
  encode(text) {
    const escaped = encodeURIComponent(text);
    const bytes = [];
    for (let at = 0; at < escaped.length; at++) {
      if (escaped[at] === "%") {
        bytes.push(parseInt(escaped.slice(at + 1, at + 3), 16));
        at += 2;
      } else {
        bytes.push(escaped.charCodeAt(at));
      }
    }
    return new Uint8Array(bytes);
  },
};
