"""The embedded paper broker: one account whose every change is an event in a book that survives a kill."""
