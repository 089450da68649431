"""Paper sessions: strategies that trade parts of one account, side by side."""
