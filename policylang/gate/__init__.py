"""The enforcement point: what stands between a proposal and its effect."""
