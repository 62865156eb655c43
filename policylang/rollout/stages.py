"""Stages: what each version of each module may do now, as a fold over transitions that are only ever added.

    draft -> shadow -> canary -> active -> retired

A version that becomes active retires the one that was; rolling it back makes that one active again.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from policylang.trace.state import Reading, Transaction, tables

ROLLOUT: Final = "rollout"
"""The kind of the records that hold transitions."""

ERROR_BUDGET: Final = 10
"""Errors of a canary after which it is rolled back, unless told otherwise."""

tables(
    "rollouts",
    """CREATE TABLE transitions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, module TEXT NOT NULL, version TEXT NOT NULL,
        rollout TEXT NOT NULL, body TEXT NOT NULL)""",
    """CREATE TABLE rollout_counts (
        rollout TEXT NOT NULL, what TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (rollout, what))""",
)


class Stage(enum.Enum):
    """What a version does on live requests."""

    DRAFT = "draft"
    """Nothing: it can be looked at and tested."""
    SHADOW = "shadow"
    """It is evaluated beside the active version, and never acted on."""
    CANARY = "canary"
    """It decides for a slice of requests."""
    ACTIVE = "active"
    """It decides."""
    RETIRED = "retired"
    """Nothing any more."""


class Step(enum.Enum):
    """What an operator, or an automatic rule, does with a version."""

    START = "start"
    PROMOTE = "promote"
    SLICE = "slice"
    """Another share of requests for a canary."""
    HOLD = "hold"
    RELEASE = "release"
    ROLLBACK = "rollback"
    RETIRE = "retire"
    NOTE = "note"
    """Nothing changes: something happened that the history has to tell."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a version is rolled out. A rollout keeps its salt as long as it goes on.

    `share` is per mille. `by` are paths such as `refund.customer_id`; the first that a request has counts.
    `shadow_seconds` is how long it has to be in shadow first. `error_budget` is the number of errors at which
    the canary is rolled back.
    """

    salt: str = ""
    by: tuple[str, ...] = ()
    share: int = 0
    allow_loosening: bool = False
    inline: bool = False
    shadow_seconds: int = 0
    error_budget: int = ERROR_BUDGET
    dropped_actions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The form of records: what differs from the default."""
        form = {
            "salt": self.salt,
            "by": list(self.by),
            "share": self.share,
            "allow_loosening": self.allow_loosening,
            "inline": self.inline,
            "shadow_seconds": self.shadow_seconds,
            "dropped_actions": list(self.dropped_actions),
        }
        kept = {name: value for name, value in form.items() if value not in ("", 0, False, [])}
        budget = {} if self.error_budget == ERROR_BUDGET else {"error_budget": self.error_budget}
        return {**kept, **budget}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Self:
        """The settings that a record holds."""
        return cls(
            salt=form.get("salt", ""),
            by=tuple(form.get("by", ())),
            share=form.get("share", 0),
            allow_loosening=form.get("allow_loosening", False),
            inline=form.get("inline", False),
            shadow_seconds=form.get("shadow_seconds", 0),
            error_budget=form.get("error_budget", ERROR_BUDGET),
            dropped_actions=tuple(form.get("dropped_actions", ())),
        )


NO_SETTINGS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of one version: who took it, when and why. `sequence` orders all transitions of a store.

    `restores` is the version that becomes active again where an active one is rolled back. `is_automatic`
    says that nobody asked for it: a budget or a criterion did.
    """

    module: str
    version: str
    rollout: str
    step: Step
    before: Stage
    after: Stage
    at: str
    by: str
    why: str
    settings: Settings = NO_SETTINGS
    restores: str = ""
    is_automatic: bool = False
    sequence: int = 0

    @property
    def name(self) -> str:
        """The version it is about: `refunds@1.4.0`."""
        return f"{self.module}@{self.version}"

    def to_json(self) -> dict[str, Any]:
        """The body of a `rollout` record."""
        form = {
            "module": self.module,
            "version": self.version,
            "rollout": self.rollout,
            "step": self.step.value,
            "before": self.before.value,
            "after": self.after.value,
            "at": self.at,
            "by": self.by,
            "why": self.why,
            "settings": self.settings.to_json(),
            "restores": self.restores,
            "automatic": self.is_automatic,
        }
        return {name: value for name, value in form.items() if value not in ("", False, {})}

    @classmethod
    def from_json(cls, form: Mapping[str, Any], sequence: int = 0) -> Self:
        """The transition of a record's body."""
        return cls(
            module=form["module"],
            version=form["version"],
            rollout=form.get("rollout", ""),
            step=Step(form["step"]),
            before=Stage(form["before"]),
            after=Stage(form["after"]),
            at=form["at"],
            by=form["by"],
            why=form.get("why", ""),
            settings=Settings.from_json(form.get("settings", {})),
            restores=form.get("restores", ""),
            is_automatic=form.get("automatic", False),
            sequence=sequence,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one version stands: its stage since when, in which rollout, under which settings.

    `since` is when it came into its stage, `started` when its rollout began.
    """

    module: str
    version: str
    stage: Stage = Stage.DRAFT
    rollout: str = ""
    settings: Settings = NO_SETTINGS
    is_held: bool = False
    since: str = ""
    started: str = ""

    @property
    def name(self) -> str:
        """What commands call it: `refunds@1.4.0`."""
        return f"{self.module}@{self.version}"


@dataclass(frozen=True, slots=True)
class ModuleStanding:
    """Where the versions of one module stand.

    `former` are the versions that were active before, the latest last. `sequence` is that of the last transition
    that changed something: who acts on what they saw says which that was.
    """

    module: str
    versions: Mapping[str, Standing] = field(default_factory=dict)
    active: str | None = None
    former: tuple[str, ...] = ()
    sequence: int = 0

    @property
    def canary(self) -> Standing | None:
        """The version in canary, if there is one."""
        return next((s for s in self.versions.values() if s.stage is Stage.CANARY), None)

    @property
    def shadows(self) -> tuple[Standing, ...]:
        """The versions in shadow."""
        return tuple(s for s in self.versions.values() if s.stage is Stage.SHADOW)

    def standing(self, version: str) -> Standing:
        """Where a version stands; one that nothing was done with is a draft."""
        return self.versions.get(version) or Standing(self.module, version)


def fold(transitions: Iterable[Transition]) -> dict[str, ModuleStanding]:
    """Where every module stands after these transitions, in their order."""
    found: dict[str, ModuleStanding] = {}
    for transition in transitions:
        known = found.get(transition.module) or ModuleStanding(transition.module)
        found[transition.module] = _after(known, transition)
    return found


def _after(known: ModuleStanding, taken: Transition) -> ModuleStanding:
    if taken.step is Step.NOTE:
        return known
    old = known.standing(taken.version)
    is_new = old.rollout != taken.rollout
    new = Standing(
        module=taken.module,
        version=taken.version,
        stage=taken.after,
        rollout=taken.rollout,
        settings=taken.settings,
        is_held=taken.step is Step.HOLD,
        since=taken.at if is_new or old.stage is not taken.after else old.since,
        started=taken.at if is_new else old.started,
    )
    after = replace(known, versions={**known.versions, taken.version: new}, sequence=taken.sequence)
    if taken.after is Stage.ACTIVE and old.stage is not Stage.ACTIVE:
        return _replaced(after, taken)
    if old.stage is Stage.ACTIVE and taken.after is not Stage.ACTIVE:
        return _restored(after, taken)
    return after


def _replaced(known: ModuleStanding, taken: Transition) -> ModuleStanding:
    """A version became active: the one before is retired, and remembered for a rollback."""
    former = known.former
    versions = dict(known.versions)
    if known.active is not None:
        old = versions[known.active]
        versions[known.active] = replace(old, stage=Stage.RETIRED, since=taken.at, is_held=False)
        former = (*former, known.active)
    return replace(known, versions=versions, active=taken.version, former=former)


def _restored(known: ModuleStanding, taken: Transition) -> ModuleStanding:
    """The active version is active no more: an earlier one is again, or none."""
    if not taken.restores:
        return replace(known, active=None)
    versions = dict(known.versions)
    old = versions[taken.restores]
    versions[taken.restores] = replace(old, stage=Stage.ACTIVE, since=taken.at, is_held=False)
    last = len(known.former) - 1 - known.former[::-1].index(taken.restores)
    return replace(known, versions=versions, active=taken.restores, former=known.former[:last])


def transitions(reading: Reading, module: str | None = None) -> tuple[Transition, ...]:
    """Every transition, or those of one module, in their order."""
    query = """SELECT body, sequence FROM transitions WHERE ?1 IS NULL OR module = ?1
        ORDER BY sequence"""
    rows = reading.execute(query, (module,))
    return tuple(Transition.from_json(json.loads(body), sequence) for body, sequence in rows)


def standings(reading: Reading) -> dict[str, ModuleStanding]:
    """Where every module stands that anything was done with."""
    return fold(transitions(reading))


def add(tx: Transaction, taken: Transition) -> Transition:
    """Add a transition to the state, and an event of it to the chain."""
    body = taken.to_json()
    tx.execute(
        "INSERT INTO transitions (module, version, rollout, body) VALUES (?, ?, ?, ?)",
        (taken.module, taken.version, taken.rollout, json.dumps(body, ensure_ascii=False)),
    )
    sequence = int(tx.execute("SELECT last_insert_rowid()")[0][0])
    tx.event(ROLLOUT, body)
    return replace(taken, sequence=sequence)


def counts(reading: Reading) -> dict[str, dict[str, int]]:
    """What was counted for each rollout."""
    found: dict[str, dict[str, int]] = {}
    for rollout, what, count in reading.execute("SELECT rollout, what, count FROM rollout_counts"):
        found.setdefault(rollout, {})[what] = count
    return found


def count(tx: Transaction, rollout: str, what: str, more: int) -> int:
    """Count something of a rollout, and return how often it was counted by now."""
    tx.execute(
        """INSERT INTO rollout_counts VALUES (?1, ?2, ?3)
            ON CONFLICT (rollout, what) DO UPDATE SET count = count + ?3""",
        (rollout, what, more),
    )
    query = "SELECT count FROM rollout_counts WHERE rollout = ? AND what = ?"
    return int(tx.execute(query, (rollout, what))[0][0])
