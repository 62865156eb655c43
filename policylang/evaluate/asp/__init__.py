"""The evaluator that defines what a program means: lowered to an ASP program, grounded by clingo.

`docs/explanation/clingo.md` says how, and which facts about clingo made it so.
"""
