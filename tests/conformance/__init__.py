"""Holds an MQTT broker, any broker, to the statements of the standards."""
