"""A market on loopback that speaks the wire protocol of Alpaca: market, server, REST answers and exchange."""
