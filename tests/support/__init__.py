"""What the suites share: the broker as a process, clients, the store, waiting."""
