"""Live pages over a lab: viewers that show and ask, and compute nothing."""
