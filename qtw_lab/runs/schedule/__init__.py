"""The schedule: entries that say when a notebook runs, and the durable clock that sees to it."""
