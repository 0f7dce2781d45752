"""Options that several commands share, each written once."""

from collections.abc import Callable

import click

METRICS = ["mae", "rmse"]  # errors in GW, lower is better: a margin in percent means the same in both
Decorator = Callable[[Callable], Callable]

data = click.option("--data", default="", help="Run id, URI or file; nothing: the newest process_data run.")


def _all(*options: Decorator) -> Decorator:
    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


split = click.option("--split", type=click.Choice(["chronological", "random"]), default="chronological")
seed = click.option("--seed", type=click.IntRange(min=0), default=42, show_default=True)
features = click.option(
    "--features",
    type=click.Choice(["full", "weather"]),
    default="full",
    help="full: sun, season and the hours around; weather: the notebooks' four columns.",
)
tuning = _all(
    click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Those of before count."),
    click.option("--study", default="", help="SQLite file of the study; nothing: build/tune.db in the repository."),
)
trainer = _all(data, split, features, seed)
raw = _all(
    click.option(
        "--source", default="sample", help="sample, opsd, live, smard, or a folder (absolute or in the repository)."
    ),
    click.option("--start", default="", help="First day (UTC); nothing: the source's own."),
    click.option("--end", default="", help="Last day (UTC); nothing: the source's own."),
    click.option("--now", default="", help="ISO 8601: the present hour of a live source; nothing: the clock."),
    click.option("--country", default="DE", help="Two letters, as the raw columns begin."),
    click.option("--weather-late", default="0/0", help="Hours the weather's stamps are late in winter/summer."),
    click.option("--power-late", default="0/0", help="The same of power; local time taken for UTC is 1/2 in Germany."),
)
gate = _all(
    click.option("--to", type=click.Choice(["Production", "Staging", "none"]), default="Production", show_default=True),
    click.option("--metric", type=click.Choice(METRICS), default="mae", show_default=True, help="What is compared."),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.005,
        show_default=True,
        help="Share of the Production model's error that a candidate must take off.",
    ),
)
