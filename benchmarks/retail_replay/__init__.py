"""Replays recorded conversations of a retail support agent against a policy."""
