"""What the steps of the pipeline share: data, split, metrics, model, stores. See README.md."""
