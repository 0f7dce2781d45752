"""The figure of a network alone: how it learned, epoch by epoch."""

from matplotlib.figure import Figure


def learning_curves(history: dict[str, list[float]]) -> Figure:
    """Return loss and epoch_mae over the epochs, of training and of the last part of its time, which is watched alone.

    `history` is keras's `History.history`.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, (name, label) in zip(
        figure.subplots(1, 2),
        [("loss", "mean squared error, GW²"), ("epoch_mae", "mean absolute error, GW")],
        strict=True,
    ):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], label="training")
        axes.plot(epochs, history[f"val_{name}"], label="last part of the training time", linestyle="--")
        axes.set(title=name, xlabel="epoch", ylabel=label)
        axes.legend()
    return figure
