"""Where the repository is on this machine, said once."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # a step's link to dsgo is resolved
