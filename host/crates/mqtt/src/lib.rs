//! MQTT packets, their codec, topic names and filters.
