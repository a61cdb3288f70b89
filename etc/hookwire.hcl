# The default configuration: a broker that is started without a file runs on
# this text, and a key that a file leaves out has the value it has here. Keys
# behind a # have no value by default. README.md beside this file explains each.

# Stands in stored rows, so that a shared database tells its brokers apart.
node = "hookwire@127.0.0.1"

# Worker threads. Left out: one per core.
# workers = 2

# Events that rules with on_error = "spool" may leave in house.db, below the data directory;
# beyond it they fail as if they did not spool. 0 spools nothing.
max_spool_bytes = "256MiB"
# Dead letters kept there for `hookwire ctl deadletters`; beyond it the oldest go.
max_dead_letters = 10000

# The largest component that a module may be; it is read into memory as a whole.
max_component_bytes = "64MiB"

listener "tcp" "default" {
  # Only this machine can connect until you say otherwise: there is no authentication.
  address = "127.0.0.1:1883"
  # A connection that sends no CONNECT must not hold its place for long.
  connect_timeout = "10s"
  # Connections still to be greeted at once; more of them wait to be accepted.
  max_greeting = 1024
  # Whether clients may connect whom no rule of client.authenticate knows.
  allow_unknown_clients = true
  # Whether they may publish and subscribe where no rule of client.authorize speaks of it.
  allow_unlisted_access = true
}

mqtt {
  # The largest packet a client may send; it is held in memory as a whole.
  max_packet_bytes = "1MiB"
  # Publishes of one client that may wait for the store at once: enough to fill a batch.
  receive_maximum = 128
  # The longest keep-alive a client is granted, in seconds; 0 grants any, none included.
  max_keep_alive_s = 0
  # How long a session may outlive its connection: a week. 0 grants any time, and for ever.
  max_session_expiry_s = 604800
  # Numbers instead of topics, in both directions; each side keeps a table of them.
  max_topic_aliases = 64
  # A client whose rules are not through with it must not hold its place for long.
  authentication_timeout = "10s"
  # Answers of client.authorize kept for each connection, until rules change; 0 keeps none.
  max_kept_access = 256
  # A denied publish before MQTT 5 cannot be told: "ignore" acknowledges and drops it,
  # "disconnect" closes the client.
  deny_action = "ignore"
  # MQTT 3.1 allows 23 characters; real devices have more.
  short_client_ids_in_mqtt31 = false
  # Told to MQTT 5 clients that ask, as a prefix for their response topics.
  # response_information = "replies/"
  # Where MQTT 5 clients are sent when this broker stops.
  # server_reference = "mqtt.example.org:1883"

  # QoS 1 and 2 messages on their way to one client, sent and not yet acknowledged.
  max_inflight = 128
  # Messages that wait for one client behind them; a slow client costs no more memory.
  max_queued_messages = 1000
  # Bytes of those messages.
  max_queued_bytes = "16MiB"
  # At either bound: "drop_newest", "drop_oldest", or "disconnect" the client.
  queue_overflow = "drop_newest"
  # QoS 0 messages do not wait for clients that are away.
  queue_qos0 = false
  # Output that waits for one client; beyond it QoS 0 messages to it are dropped.
  max_output_bytes = "1MiB"

  # Beyond either bound a message is delivered and not retained.
  max_retained_messages = 1000000
  # Bytes of retained messages.
  max_retained_bytes = "256MiB"
  # Messages under $delayed that wait on each worker; beyond it they are refused.
  max_delayed_messages = 100000
  # Bytes of those messages.
  max_delayed_bytes = "64MiB"
  # "round_robin", "random", "sticky", "hash_client", "hash_topic" or "least_inflight".
  shared_strategy = "round_robin"
  # Refuse a payload that is said to be UTF-8 and is not: costs a look at each.
  check_payload_format = false
  # Seconds between the messages under $SYS; 0 sends none.
  sys_interval_s = 10
}

pool "sqlite" "embedded" {
  # Below the data directory unless it is an absolute path.
  file = "hookwire.db"
  # Rows that wait for the one writer; beyond it calls fail as saturated.
  max_waiting_rows = 65536
  # Rows that one transaction, and so one sync to disk, is shared by at most.
  max_transaction_rows = 1024
  # Connections for queries, which never wait for the writer.
  readers = 2
  # The largest answer to one query.
  max_result_bytes = "4MiB"
  # How long one statement may keep the one writer from other rules; beyond it its row is refused.
  max_statement = "1s"

  # What is removed, so that the file does not grow for ever.
  retention {
    # Messages older than this, whether they were read or not: as old as a session may become.
    # 0 keeps them for ever.
    max_age = "7d"
    # Beyond so much in use the oldest messages go, however young they are; 0 is any size.
    max_bytes = "8GiB"
    # Rows removed in one go, before whoever waits for the writer has it.
    slice_rows = 256
  }
}

module "sqlite" {
  # A component file. Left out: the stock module of this name.
  # path = "sqlite.wasm"

  # Whether it serves from the start; `hookwire ctl modules load` loads it later.
  loaded = true
  # What it may use beside the pools of its rules, such as "clock"; this one needs none.
  grants = []
  # Hosts it may send HTTP requests to, with the grant "http".
  http_hosts = []
  # Instances on each worker: while one waits for its store, another goes on.
  lanes = 2
  # Events in one call at most. A busy store fills it, an idle one does not wait for it.
  max_batch = 256
  # Events that wait for one lane before its clients are not read for a while.
  max_queued_events = 8192
  # A call that takes longer is stopped; the store's time is included.
  deadline = "5s"
  # Memory of one instance; more and it is stopped.
  max_memory_bytes = "64MiB"
  # Keys and values it may keep in this node's memory, with the grant "key-value".
  max_key_value_bytes = "16MiB"
}

# mqtt_client: who is online, since when, and on which node.
rule "client-online" {
  hook   = "client.connected"
  module = "sqlite"
  action = "on_client_connected"
  pool   = "embedded"

  # What a failed call means. Left out: "continue" on this hook, count and log it.
  # on_error = "continue"
  # How long a call is made again that may succeed later. Left out: the module's deadline.
  # retry_for = "5s"

  # The action's own options; this one has none.
  # options {
  # }
}

# mqtt_client: who went, and when.
rule "client-offline" {
  hook   = "client.disconnected"
  module = "sqlite"
  action = "on_client_disconnected"
  pool   = "embedded"
}

# mqtt_client: who was connected when this node ended without saying so.
rule "node-started" {
  hook   = "node.started"
  module = "sqlite"
  action = "on_node_started"
  pool   = "embedded"
}

# hookwire_session: sessions that outlive the broker, with what follows.
rule "session-restore" {
  hook   = "session.created"
  module = "sqlite"
  action = "on_session_restore"
  pool   = "embedded"
}

rule "session-resumed" {
  hook   = "session.resumed"
  module = "sqlite"
  action = "on_session_store"
  pool   = "embedded"
}

rule "session-left" {
  hook   = "client.disconnected"
  module = "sqlite"
  action = "on_session_store"
  pool   = "embedded"
}

rule "session-over" {
  hook   = "session.terminated"
  module = "sqlite"
  action = "on_session_store"
  pool   = "embedded"
}

rule "session-discarded" {
  hook   = "session.discarded"
  module = "sqlite"
  action = "on_session_store"
  pool   = "embedded"
}

rule "sessions-left" {
  hook   = "node.started"
  module = "sqlite"
  action = "on_session_store"
  pool   = "embedded"
}

# hookwire_sub, and mqtt_sub: the subscriptions of those sessions.
rule "subscribed" {
  hook   = "session.subscribed"
  module = "sqlite"
  action = "on_subscription_store"
  pool   = "embedded"
}

rule "unsubscribed" {
  hook   = "session.unsubscribed"
  module = "sqlite"
  action = "on_subscription_delete"
  pool   = "embedded"
}

# hookwire_exchange: QoS 2 messages under way, so that each arrives once.
rule "exchanges" {
  hook   = "session.exchange"
  module = "sqlite"
  action = "on_session_exchange"
  pool   = "embedded"
}

# mqtt_msg: every message above QoS 0 is on disk before its publisher is told so.
rule "store-messages" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  # Which messages; every topic but those that begin with $.
  topic  = "#"
  pool   = "embedded"

  # Left out: "deny" on this hook, so that what is not stored is not acknowledged.
  # on_error = "deny"
}

# mqtt_retain: the retained message of each topic, on disk before its publisher is told so.
rule "store-retained" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_retain"
  topic  = "#"
  pool   = "embedded"
}

rule "delete-retained" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_retain_delete"
  topic  = "#"
  pool   = "embedded"
}

# mqtt_retain again: what a new subscription finds, beside what this broker has in memory.
rule "look-up-retained" {
  hook   = "session.retained"
  module = "sqlite"
  action = "on_retain_lookup"
  topic  = "#"
  pool   = "embedded"
}

# mqtt_msg again: what a client missed comes before what is live.
rule "fetch" {
  hook   = "session.fetch"
  module = "sqlite"
  action = "on_message_fetch"
  topic  = "#"
  pool   = "embedded"
}

# mqtt_acked: how far each client has acknowledged each topic.
rule "acked" {
  hook   = "message.position"
  module = "sqlite"
  action = "on_message_acked"
  topic  = "#"
  pool   = "embedded"
}

rule "acked-delete" {
  hook   = "session.unsubscribed"
  module = "sqlite"
  action = "on_acked_delete"
  topic  = "#"
  pool   = "embedded"
}
