"""Who may serve: the rules, the evidence, promotion and rollback."""
