"""The market outside: feeds and questions, Alpaca, and an Alpaca-compatible exchange on loopback."""
