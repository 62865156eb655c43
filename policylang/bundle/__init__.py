"""Bundles: modules that are deployed together, from files to answers."""
