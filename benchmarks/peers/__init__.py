"""The same policies in policylang and in what a Python user would pick instead."""
