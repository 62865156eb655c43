"""Puts the standard library and the pages of diagnostics into the wheel, beside the code that reads them."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = {
    "stdlib": "policylang/stdlib",
    "docs/reference/diagnostics": "policylang/pages/diagnostics",
}


class ShippedFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Maps the folders of `SHIPPED` into a wheel; an editable install reads them where they lie."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the mapping to `build_data`, unless `version` is an editable build."""
        if version != "editable":
            build_data["force_include"].update(SHIPPED)
