"""The pieces of the weekly report."""
