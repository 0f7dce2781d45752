"""An engine for a graph of MLprojects; it knows no step by name."""
