// The properties of MQTT 5, in the words of the drivers and in those of MQTT.js.
'use strict'

const NAMES = {
  session_expiry: 'sessionExpiryInterval',
  receive_maximum: 'receiveMaximum',
  maximum_packet_size: 'maximumPacketSize',
  topic_alias_maximum: 'topicAliasMaximum',
  request_problem_information: 'requestProblemInformation',
  user_properties: 'userProperties',
  payload_format: 'payloadFormatIndicator',
  message_expiry: 'messageExpiryInterval',
  content_type: 'contentType',
  response_topic: 'responseTopic',
  correlation: 'correlationData',
  subscription_id: 'subscriptionIdentifier',
  topic_alias: 'topicAlias',
  will_delay: 'willDelayInterval',
  assigned_client_id: 'assignedClientIdentifier',
  server_keep_alive: 'serverKeepAlive',
  reason_string: 'reasonString',
}

// One name stands for one value or for a list.
function toUserProperties(pairs) {
  const found = {}
  for (const [name, value] of pairs) (found[name] ||= []).push(value)
  return found
}

function fromUserProperties(found) {
  const pairs = ([name, values]) => [values].flat().map((one) => [name, one])
  return Object.entries(found).flatMap(pairs)
}

function toMqttjs(given) {
  const properties = {}
  for (let [name, value] of Object.entries(given)) {
    if (name === 'correlation') value = Buffer.from(value, 'hex')
    if (name === 'user_properties') value = toUserProperties(value)
    // These two are true and false there.
    if (name === 'payload_format' || name === 'request_problem_information') value = value === 1
    properties[NAMES[name]] = value
  }
  return properties
}

function fromMqttjs(properties) {
  const found = {}
  for (const [name, theirs] of Object.entries(NAMES)) {
    let value = properties && properties[theirs]
    if (value === undefined || value === null) continue
    if (name === 'correlation') value = value.toString('hex')
    if (name === 'user_properties') value = fromUserProperties(value)
    if (name === 'payload_format') value = Number(value)
    if (name === 'subscription_id') found.subscription_ids = [value].flat()
    else found[name] = value
  }
  return found
}

module.exports = { fromMqttjs, toMqttjs }
