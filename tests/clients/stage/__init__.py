"""What the scenarios stand on: the client libraries, their drivers, the broker."""
