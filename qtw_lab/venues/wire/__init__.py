"""Alpaca's wire protocol: messages to rows and back, and the websocket frames around them."""
