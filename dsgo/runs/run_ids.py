"""Run ids as a user gives them."""

import re

from dsgo.base.errors import UserError


def parse_run_ids(text: str) -> list[str]:
    """Return the run ids of a comma list, each once; UserError where one cannot be a run id or there is none.

    >>> parse_run_ids("0123456789abcdef0123456789abcdef, 0123456789abcdef0123456789abcdef,")
    ['0123456789abcdef0123456789abcdef']
    """
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise UserError("run_ids names no run: give the run ids of trainers, -P run_ids=ID,ID")
    for run_id in found:
        if not re.fullmatch(r"[0-9a-f]{32}", run_id):
            raise UserError(f"run_ids: {run_id[:60]!r} is no run id (32 hexadecimal digits, as MLflow's UI shows it)")
    return found
