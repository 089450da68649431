"""The realtime engine: universe, focus, bars, signals, and a journal that outlives a crash."""
