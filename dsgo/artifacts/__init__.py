"""MLflow's artifact clients, found by entry points; nothing here imports them."""
