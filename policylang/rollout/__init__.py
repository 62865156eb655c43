"""Rollout: versions of modules, the stages they go through, and what decides a live request."""
