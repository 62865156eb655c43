"""Evaluators: a program and a fact set in, firings out."""
