"""Proofs: why a decision came out as it did, and why another did not."""
