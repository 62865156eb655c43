"""The compiled plan: a program as Python code, made for one decision in microseconds."""

from policylang.evaluate.plan.bodies import UnplannableError
from policylang.evaluate.plan.evaluator import PlanEvaluator
from policylang.evaluate.plan.refusals import refusal

__all__ = ["PlanEvaluator", "UnplannableError", "refusal"]
