"""The dataset: its sources, its rules, and reading it."""
