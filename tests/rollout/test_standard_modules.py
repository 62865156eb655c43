"""What a deployment says of standard modules, their params and their reference data, is published with the modules that use them."""

from __future__ import annotations

from typing import Any

import pytest

from policylang import loads
from policylang.rollout.composing import Composer
from policylang.rollout.differences import compare
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage
from policylang.rollout.versions import Version, all_versions
from policylang.trace.store import TraceStore
from tests.rollout.shop import deployed, outcome, put, request
from tests.rollout.shop import text as shop

CHANGES = """module {name} version "{version}"
use std.changes
action {name}_deploy {{ change: ref changes.change }}
rule go: allow {name}_deploy if changes.may_go({name}_deploy.change)
"""
NEEDED = "std.changes.reviewers_needed"
REVIEW = {"change": "c1", "revision": "r1", "by_whom": "bob", "verdict": "approved"}
FACTS = {
    "change": [{"id": "c1", "author": "ann", "target": "cart", "revision": "r1"}],
    "review": [REVIEW],
}
FREEZE = {
    "target": "cart",
    "starts": "2020-01-01T00:00:00Z",
    "ends": "2090-01-01T00:00:00Z",
    "reason": "the sale",
}


def module(name: str, version: str = "1.0.0") -> str:
    """A module that uses a standard one."""
    return CHANGES.format(name=name, version=version)


def asked(name: str, **facts: Any) -> dict[str, Any]:
    """A request to deploy, by the rules of that module."""
    return {"action": f"{name}_deploy", "args": {"change": "c1"}, "facts": {**FACTS, **facts}}


def composed(store: TraceStore, *names: str) -> dict[str, str]:
    """The outcome of each module's request, decided by the published versions of those names together."""
    with store.state.read() as reading:
        known = {version.name: version for version in all_versions(reading)}
    return _outcomes(Composer(store.state), [known[name] for name in names])


def _outcomes(composer: Composer, versions: list[Version]) -> dict[str, str]:
    bundle = composer.compose(versions).bundle
    held = {"freeze": []} if "std.changes.freeze" not in bundle.reference.rows else {}
    return {v.module: bundle.decide(asked(v.module, **held)).outcome.value for v in versions}


def test_a_param_of_a_standard_module_is_published(store: TraceStore) -> None:
    """A stricter param of a standard module is as strict after publishing, and is part of the version's content."""
    lax = put(store, module("a"))[0].version
    with loads(module("a", "1.1.0"), params={NEEDED: 2}) as bundle:
        assert bundle.decide(asked("a")).outcome.value == "deny"
    strict = put(store, module("a", "1.1.0"), params={NEEDED: 2})[0].version
    assert composed(store, "a@1.0.0") == {"a": "allow"}
    assert composed(store, "a@1.1.0") == {"a": "deny"}
    assert strict.params == {NEEDED: 2}
    assert [str(each) for each in compare(lax, strict)] == [f"added: override of param {NEEDED}"]


def test_rows_of_a_standard_module_are_published(store: TraceStore) -> None:
    """Reference data of a standard module decides after publishing as it did before."""
    put(store, module("a"), reference={"std.changes.freeze": [FREEZE]})
    assert composed(store, "a@1.0.0") == {"a": "deny"}


def test_what_a_standard_module_uses_is_spoken_for_by_those_alone_that_use_it(
    store: TraceStore,
) -> None:
    """A module that does not use a standard one carries nothing of it."""
    published = put(store, module("a"), shop("1.0.0"), params={NEEDED: 2})
    assert {one.version.module: one.version.params for one in published} == {
        "a": {NEEDED: 2},
        "shop": {},
    }


def test_of_two_that_speak_of_a_standard_module_the_later_counts(store: TraceStore) -> None:
    """Composed, two modules have one param between them: that of the version that was published last, whatever their names."""
    put(store, module("a"), params={NEEDED: 2})
    put(store, module("b"), params={NEEDED: 1})
    put(store, module("a", "1.1.0"), params={NEEDED: 3})
    assert composed(store, "a@1.0.0", "b@1.0.0") == {"a": "allow", "b": "allow"}
    assert composed(store, "a@1.1.0", "b@1.0.0") == {"a": "deny", "b": "deny"}


def test_one_that_says_nothing_loosens_nothing(store: TraceStore) -> None:
    """A later version without the param leaves it as another module set it."""
    put(store, module("a"), params={NEEDED: 2})
    put(store, module("b"))
    assert composed(store, "a@1.0.0", "b@1.0.0") == {"a": "deny", "b": "deny"}


def test_programs_that_are_made_of_others_have_the_params_of_now(store: TraceStore) -> None:
    """One composer, asked in any order, gives the programs that one composer each gives."""
    put(store, module("a"), module("b"), shop("1.0.0"), params={NEEDED: 2})
    put(store, module("a", "1.1.0"), params={NEEDED: 1})
    put(store, module("a", "1.2.0"))
    with store.state.read() as reading:
        known = {version.name: version for version in all_versions(reading)}
    one = Composer(store.state)
    for name in ("a@1.0.0", "a@1.1.0", "a@1.2.0", "a@1.1.0", "a@1.0.0"):
        versions = [known[name], known["b@1.0.0"], known["shop@1.0.0"]]
        alone = Composer(store.state).program(versions)
        assert one.program(versions).digest == alone.digest
        assert one.program(versions).schema.params == alone.schema.params


@pytest.mark.parametrize(("needed", "expected"), [(2, "deny"), (None, "allow")])
def test_a_canary_decides_for_all_whom_its_params_reach(
    store: TraceStore, needed: int | None, expected: str
) -> None:
    """A candidate that says something else of a standard module decides in its slice for other modules that use it, too."""
    caller = "optional fact caller { id: String }"
    put(store, module("a") + caller, module("b"))
    rollouts = Rollouts(store)
    for name in ("a@1.0.0", "b@1.0.0"):
        rollouts.start(name, by="ann", stage=Stage.ACTIVE)
    given = {} if needed is None else {NEEDED: needed}
    put(store, module("a", "1.1.0") + caller, params=given)
    settings = Settings(share=1000, by=("caller.id",))
    rollouts.start("a@1.1.0", by="ann", stage=Stage.CANARY, settings=settings)
    with deployed(store) as deployment:
        found = deployment.decide(asked("b", freeze=[], caller={"id": "x"}))
        assert outcome(found) == expected


def test_a_request_of_the_shop_is_decided_beside_it(store: TraceStore) -> None:
    """Params of a standard module change nothing for a module that does not use it."""
    put(store, module("a"), shop("1.0.0"), params={NEEDED: 2})
    with store.state.read() as reading:
        versions = all_versions(reading)
    bundle = Composer(store.state).compose(versions).bundle
    assert bundle.decide(request(3)).outcome.value == "allow"
