"""How a step meets MLflow."""
