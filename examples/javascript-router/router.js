// The module: what it says of itself, and how the broker calls it.

import log from "hookwire:host/log@0.1.0";
import metrics from "hookwire:host/metrics@0.1.0";

import { readOptions, routed } from "./routing.js";

const OPTIONS = [
  {
    name: "field",
    kind: "string",
    required: false,
    default: '"kind"',
    help: "Field of the JSON payload that names the route.",
  },
  {
    name: "prefix",
    kind: "string",
    required: false,
    default: '"routed"',
    help: "First levels of the topics that messages go to.",
  },
];

// Options by the number of the rule, read once.
const rules = new Map();

export const actions = {
  describe() {
    return {
      name: "javascript-router",
      version: "0.1.0",
      actions: [
        {
          name: "route",
          help: "Sends a message to the topic that its payload names.",
          hooks: ["message.publish"],
          interest: ["payload"],
          pool: "",
          stores: false,
          batch: true,
          options: OPTIONS,
        },
      ],
    };
  },

  configure(setting) {
    const errors = [];
    for (const rule of setting.rules) {
      const options = readOptions(rule);
      if (/[+#\0]/.test(options.prefix) || options.prefix === "") {
        errors.push({ rule: rule.id, message: `prefix: "${options.prefix}" begins no topic` });
      }
      rules.set(rule.id, options);
    }
    if (errors.length > 0) {
      throw errors;
    }
    log.write("info", `JavaScript serves ${setting.rules.length} rules on ${setting.node}`);
    // Nothing to warn of.
    return [];
  },

  handle(events, calls) {
    const settled = [];
    calls.forEach(({ rule, event }, call) => {
      const replacement = routed(rules.get(rule), events[event].val);
      if (replacement !== null) {
        settled.push({ call, verdict: { tag: "replace", val: replacement } });
      }
    });
    metrics.add("routed", settled.length);
    // Calls that are not in the answer proceed.
    return settled;
  },
};
