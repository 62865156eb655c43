"""Replays a recorded retail support agent against `examples/retail_support`.

usage: python benchmarks/tau2_retail.py [--data FOLDER] [--policy PATH] [--json]
"""

from __future__ import annotations

import sys

from retail_replay.command import main

if __name__ == "__main__":
    sys.exit(main())
