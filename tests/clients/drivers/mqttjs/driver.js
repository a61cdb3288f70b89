// The driver of MQTT.js: commands in, answers and what is heard out, a line of JSON each.
'use strict'

const readline = require('node:readline')
const mqtt = require('mqtt')
const { fromMqttjs, toMqttjs } = require('./properties.js')

// Less than the tests wait for an answer.
const DEADLINE_MS = 20_000

const VERSIONS = {
  '3.1': { protocolId: 'MQIsdp', protocolVersion: 3 },
  '3.1.1': { protocolId: 'MQTT', protocolVersion: 4 },
  '5.0': { protocolId: 'MQTT', protocolVersion: 5 },
}

function write(said) {
  process.stdout.write(JSON.stringify(said) + '\n')
}

class Client {
  constructor(command) {
    this.name = command.client
    this.isV5 = command.version === '5.0'
    this.leaving = false
    this.said = null
    this.unacknowledged = []
    this.waiting = new Set()
  }

  // Settles as `make(resolve, reject)` has it, or fails when the connection ends or the
  // deadline passes.
  within(what, make) {
    let end
    const ended = new Promise((_, reject) => {
      const late = setTimeout(() => end(new Error(`not in time: ${what}`)), DEADLINE_MS)
      end = (error) => {
        clearTimeout(late)
        this.waiting.delete(end)
        reject(error)
      }
      this.waiting.add(end)
    })
    return Promise.race([new Promise(make), ended]).finally(() => end())
  }

  connect(command) {
    const options = {
      ...VERSIONS[command.version],
      host: '127.0.0.1',
      port: command.port,
      clientId: command.client_id,
      clean: command.clean,
      keepalive: command.keep_alive,
      reconnectPeriod: 0,
      connectTimeout: DEADLINE_MS,
      resubscribe: false,
    }
    if (command.will) {
      const { topic, payload, qos, retain, properties } = command.will
      options.will = { topic, payload: Buffer.from(payload, 'hex'), qos, retain }
      if (this.isV5) options.will.properties = toMqttjs(properties)
    }
    if (this.isV5) options.properties = toMqttjs(command.properties)
    this.mqtt = mqtt.connect(options)
    if (command.manual_ack) {
      this.mqtt.handleMessage = (_packet, done) => this.unacknowledged.push(done)
    }
    this.mqtt.on('message', (topic, payload, packet) => this.onMessage(topic, payload, packet))
    this.mqtt.on('disconnect', (packet) => { this.said = packet })
    this.mqtt.on('close', () => this.onClose())
    // What follows from an error is told by the command that it ends.
    this.mqtt.on('error', () => {})
    return this.within('CONNACK', (resolve, reject) => {
      this.mqtt.once('packetreceive', (packet) => {
        if (packet.cmd !== 'connack') return
        resolve({
          reason: this.isV5 ? packet.reasonCode : packet.returnCode,
          session_present: packet.sessionPresent,
          properties: fromMqttjs(packet.properties),
        })
      })
      this.mqtt.once('error', reject)
    })
  }

  onMessage(topic, payload, packet) {
    write({
      client: this.name,
      event: 'message',
      topic,
      payload: payload.toString('hex'),
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      properties: fromMqttjs(packet.properties),
    })
  }

  onClose() {
    for (const end of [...this.waiting]) end(new Error('the connection ended'))
    if (this.leaving) return
    write({
      client: this.name,
      event: 'closed',
      reason: this.said ? this.said.reasonCode : null,
      properties: fromMqttjs(this.said && this.said.properties),
    })
  }

  listen() {}

  subscribe(command) {
    const filters = {}
    for (const one of command.filters) {
      filters[one.filter] = { qos: one.qos }
      if (this.isV5) {
        const { no_local: nl, retain_as_published: rap, retain_handling: rh } = one
        Object.assign(filters[one.filter], { nl, rap, rh })
      }
    }
    const options = this.isV5 ? { properties: toMqttjs(command.properties) } : {}
    return this.within('SUBACK', (resolve, reject) => {
      this.mqtt.subscribe(filters, options, (error, _granted, packet) => {
        if (packet) resolve({ reasons: [...packet.granted] })
        else reject(error)
      })
    })
  }

  unsubscribe(command) {
    return this.within('UNSUBACK', (resolve, reject) => {
      this.mqtt.unsubscribe(command.filters, (error, packet) => {
        if (error) reject(error)
        else resolve({ reasons: [...(packet.granted || [])] })
      })
    })
  }

  async publish(command) {
    const reasons = []
    // Held here, as the library does not hold to it: the broker's receive maximum.
    const window = this.mqtt.serverProperties?.receiveMaximum ?? command.payloads.length
    for (let at = 0; at < command.payloads.length; at += window) {
      const sent = command.payloads.slice(at, at + window)
      reasons.push(...(await Promise.all(sent.map((payload) => this.publishOne(command, payload)))))
    }
    return { reasons }
  }

  publishOne(command, payload) {
    const options = { qos: command.qos, retain: command.retain }
    if (this.isV5) options.properties = toMqttjs(command.properties)
    return this.within('an acknowledgement', (resolve, reject) => {
      this.mqtt.publish(command.topic, Buffer.from(payload, 'hex'), options, (error, packet) => {
        if (error && error.code === undefined) reject(error)
        else resolve(error ? error.code : (packet && packet.reasonCode) || 0)
      })
    })
  }

  acknowledge(command) {
    for (const done of this.unacknowledged.splice(0, command.count)) done()
  }

  disconnect(command) {
    this.leaving = true
    const packet = this.isV5
      ? { reasonCode: command.reason, properties: toMqttjs(command.properties) }
      : {}
    return new Promise((resolve) => this.mqtt.end(false, packet, () => resolve({})))
  }

  kill() {
    this.leaving = true
    this.mqtt.stream.destroy()
  }
}

const clients = new Map()

async function act(command) {
  if (command.do === 'reset') {
    for (const client of clients.values()) client.kill()
    clients.clear()
    return {}
  }
  if (command.do === 'connect') clients.set(command.client, new Client(command))
  return clients.get(command.client)[command.do](command)
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    try {
      write({ id: command.id, ok: (await act(command)) || {} })
    } catch (error) {
      write({ id: command.id, error: String(error) })
    }
  }
  process.exit(0)
}

main()
