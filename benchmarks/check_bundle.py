"""Measures `policylang check` of a bundle of 1,000 rules in 200 files, whole and with one file broken.

usage: python benchmarks/check_bundle.py [--runs N] [--json]

Each run is a process of its own, from its start to its end; the seconds are the wall clock's and the
processor's (a busy machine stretches the first), the memory is the peak that the operating system saw.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

FILES = 200
RULES_PER_FILE = 5
BROKEN_FILE = "team_120.policy"

GOAL_SECONDS = 5.0
GOAL_MEGABYTES = 500.0

SHARED = """\
## What all teams share: the customer, the agent, and who may do what.
module shared version "1.0.0"

enum Tier normalize trim, lower { free, pro ("professional"), enterprise }
type Usd = Decimal(2) in 0.00 .. 1_000_000.00 normalize currency

fact agent { id: String key, scopes: Set[String] }
fact customer { id: String key, tier: Tier, age_days: Int in 0 .., flagged: Bool = false }
facts linked { a: String, b: String }

action close_account { customer_id: String }

define suspicious(C) reads "customer {C} is under suspicion"
  if customer.flagged and C == customer.id
define suspicious(C) if linked(a: C, b: D) and suspicious(D)

rule close_by_staff: allow close_account if agent.scopes has "accounts:close"
rule close_own: allow close_account
  if close_account.customer_id == customer.id and customer.tier == free
rule close_pro: require approval(by: "manager", within: 4 hours) for close_account
  if customer.tier != free
rule close_young: deny close_account if customer.age_days < 7
  because "account {customer.id} is {customer.age_days} days old"
rule close_suspicious: deny close_account if suspicious(close_account.customer_id)
"""

TEAM = """\
## The payments of team NUMBER.
module team_NUMBER version "1.NUMBER.0"

use shared

action pay_NUMBER { customer_id: String, amount: shared.Usd, note: String? }
facts invoice_NUMBER { id: String key, customer: String, amount: shared.Usd, paid: Bool }

param limit_NUMBER: shared.Usd = 2NUMBER.00

table cap_NUMBER (tier: shared.Tier, cap: shared.Usd) {
  | free       |    50.00 |
  | pro        |   5NUMBER.00 |
  | enterprise | 9_NUMBER.00 |
}

define open_NUMBER(C, Total) reads "{C} owes {Total}"
  if invoice_NUMBER(customer: C)
  and Total == sum(A for invoice_NUMBER(id: I, customer: C, amount: A, paid: false))

rule small_NUMBER: allow pay_NUMBER
  if shared.agent.scopes has "pay:write" and pay_NUMBER.amount <= limit_NUMBER
  and cap_NUMBER(tier: shared.customer.tier, cap: Cap) and pay_NUMBER.amount <= Cap
  because "{pay_NUMBER.amount} is within {limit_NUMBER}"

rule large_NUMBER: require approval(by: "manager", within: 4 hours) for pay_NUMBER
  if pay_NUMBER.amount > limit_NUMBER and not shared.suspicious(pay_NUMBER.customer_id)

rule fraud_NUMBER: deny pay_NUMBER
  if shared.suspicious(pay_NUMBER.customer_id) or shared.customer.flagged
  because "customer {pay_NUMBER.customer_id} is under review"

rule debt_NUMBER: deny pay_NUMBER
  if open_NUMBER(pay_NUMBER.customer_id, Total) and Total > 1_NUMBER.00
  because "{Total} is open"

rule tell_NUMBER: oblige notify(team: "team NUMBER") on pay_NUMBER
  if pay_NUMBER.amount in 1_NUMBER.00 .. and pay_NUMBER.note is present
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One `policylang check`: how it ended, how long it took, and the most memory it held."""

    status: int
    seconds: float
    processor: float
    megabytes: float
    output: str


@dataclass(frozen=True, slots=True)
class Measure:
    """The runs of one bundle, in the median; the memory is the worst run's."""

    bundle: str
    runs: int
    seconds: float
    processor: float
    megabytes: float

    @property
    def reached(self) -> bool:
        """Whether both goals are reached."""
        return self.seconds <= GOAL_SECONDS and self.megabytes <= GOAL_MEGABYTES


def write_bundle(folder: Path) -> None:
    """Write the bundle into `folder`: `shared.policy` and the modules of the teams."""
    (folder / "shared.policy").write_text(SHARED, encoding="utf-8")
    for number in range(1, FILES):
        text = TEAM.replace("NUMBER", f"{number:03}")
        (folder / f"team_{number:03}.policy").write_text(text, encoding="utf-8")


def break_one(folder: Path) -> None:
    """Leave the `:` out of the second rule of one file, and write `=` for `==` in its last."""
    path = folder / BROKEN_FILE
    text = path.read_text(encoding="utf-8")
    text = text.replace("rule large_120:", "rule large_120").replace(
        "note is present", 'note = "x"'
    )
    path.write_text(text, encoding="utf-8")


def check(folder: Path) -> Run:
    """Run `policylang check FOLDER` in a process of its own. The system has to have `os.wait4`."""
    command = [sys.executable, "-m", "policylang", "check", str(folder)]
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    processor = usage.ru_utime + usage.ru_stime
    return Run(process.returncode, seconds, processor, usage.ru_maxrss / unit, text)


def measure(bundle: str, folder: Path, runs: int, status: int, says: str) -> Measure:
    """Check the folder `runs` times. Raises SystemExit where a check ends otherwise than expected."""
    measured = [check(folder) for _ in range(runs)]
    for run in measured:
        if run.status != status or says not in run.output:
            sys.exit(f"{bundle}: the check ended with {run.status}, not {status}\n{run.output}")
    return Measure(
        bundle,
        runs,
        round(median(run.seconds for run in measured), 3),
        round(median(run.processor for run in measured), 3),
        round(max(run.megabytes for run in measured), 1),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the measures as JSON")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder)
        whole = measure("whole", folder, asked.runs, 0, f"{FILES} files")
        break_one(folder)
        broken = measure("one file broken", folder, asked.runs, 3, "2 errors")
    measures = (whole, broken)
    print(json.dumps([asdict(one) for one in measures]) if asked.json else table(measures))
    return 0 if all(one.reached for one in measures) else 1


def table(measures: Sequence[Measure]) -> str:
    """The measures as text, beside the goals."""
    rows = [f"{'1,000 rules in 200 files':<26}{'seconds':>9}{'processor':>11}{'MB':>7}"]
    rows += [
        f"  {one.bundle:<24}{one.seconds:>9.2f}{one.processor:>11.2f}{one.megabytes:>7.0f}"
        for one in measures
    ]
    rows += [f"  {'goal':<24}{GOAL_SECONDS:>9.2f}{'':>11}{GOAL_MEGABYTES:>7.0f}"]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
