"""The figure of a forest alone: what its splits were made on."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor


def importances(forest: RandomForestRegressor) -> Figure:
    """Return a bar chart of a forest's impurity importances (they add up to 1), with their spread over the trees."""
    names, values = forest.feature_names_in_, forest.feature_importances_
    spread = np.std([tree.feature_importances_ for tree in forest.estimators_], axis=0)
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(values)
    axes.barh([names[i] for i in order], values[order], xerr=spread[order], color="#33658a", capsize=3)
    axes.set(title="Importance of each feature", xlabel="share of the variance that its splits remove")
    return figure
