"""Solar's and wind's colours, the same in every chart, so that a reader learns them once."""

# Distinguishable by the colour-blind, and dark enough for a line on white (contrast above 3:1).
COLOURS = {"solar": "#c77700", "wind": "#0b5fa5"}
BANDS = {"solar": "rgba(199, 119, 0, 0.22)", "wind": "rgba(11, 95, 165, 0.20)"}  # the same, for an area
INK = "#1d2939"  # text and lines that stand for neither
