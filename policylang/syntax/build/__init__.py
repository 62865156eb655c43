"""From what Lark has recognized to nodes of the tree: one method a rule (or alias) of the grammar.

Tokens come as they are, nodes as they were built, an absent `[optional]` as None. What the grammar
cannot say without conflicts (closed lists of words, a clause at most once) is checked here; a problem
raises `policylang.syntax.problems.Malformed`, which the parser turns into diagnostics of the statement.
"""

from policylang.syntax.build.expressions import ExpressionRules
from policylang.syntax.build.rollouts import RolloutRules
from policylang.syntax.build.rules import RuleRules
from policylang.syntax.build.statements import StatementRules
from policylang.syntax.build.tests import TestRules
from policylang.syntax.build.types import TypeRules


class Builder(StatementRules, RuleRules, RolloutRules, TestRules, TypeRules, ExpressionRules):
    """What is called for each rule of the grammar that was recognized, `visit_` and the rule's name."""


__all__ = ["Builder"]
