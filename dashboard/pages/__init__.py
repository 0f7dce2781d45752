"""The pages; each has PATH, layout(**query) and its callbacks."""
