"""Kill clients and stores at random moments, fill the disk, cut the network: is anything torn or lost? (Linux)

    python benchmarks/faults.py                 # 300 faults, some ten minutes; writes its table into README.md here
    python benchmarks/faults.py --kills 33 --seed 2 --print

Clients are processes (benchmarks/fault_clients.py) that upload files large and small, over older versions too, and note
each upload that was acknowledged. After each fault a new client uploads, lists and downloads everything, and each file
is held against what it must be. The same faults on MLflow's own client and a plain pyftpdlib server stand beside it.
Exit code 1 if the store or its client broke their promise.
"""

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields

import click
from fault_ledger import Count
from fault_world import KINDS, fork, run_chunk
from rich.console import Console
from rich.progress import track
from sections import write_section

PLAIN = [kind for kind, client in KINDS.items() if client == "dsgo" and kind != "connection silent"]  # waits for good
CHUNK = 6  # faults on one store, after which another begins empty


def plan(kills: int, plain_kills: int, seed: int) -> list[tuple[str, bool, int, str]]:
    """Divide the faults among the kinds, and into chunks."""
    share, rest = divmod(kills, len(KINDS))
    wanted = [(kind, False, share + (place < rest)) for place, kind in enumerate(KINDS)]
    wanted += [(kind, True, plain_kills) for kind in PLAIN]
    return [
        (kind, plain, min(CHUNK, faults - begin), f"{seed} {kind} {plain} {begin}")
        for kind, plain, faults in wanted
        for begin in range(0, faults, CHUNK)
    ]


def table(counts: dict[tuple[str, bool], Count]) -> str:
    """Return the figures, in Markdown."""
    lines = [
        "| fault | faults | in a transfer | acknowledged | files read | torn | lost | temporary | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for plain, name in ((False, "this store"), (True, "plain pyftpdlib, MLflow's own client")):
        total = Count()
        for (kind, is_plain), count in counts.items():
            if plain == is_plain:
                lines.append(row(kind, count))
                total += count
        lines.append(row(f"**{name}: all**", total))
    return "\n".join(lines)


def row(name: str, count: Count) -> str:
    """Return one line of the table."""
    figures = (getattr(count, each.name) for each in fields(count) if each.name != "reasons")
    return f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} |"


@click.command()
@click.option("--kills", default=300, show_default=True, help="Faults in all, on this store and its clients.")
@click.option("--plain", default=5, show_default=True, help="Faults of each kind on MLflow's client and pyftpdlib.")
@click.option("--seed", default=1, show_default=True, help="Of all chance but the machine's timing.")
@click.option("--jobs", default=2, show_default=True, help="Stores at a time.")
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(kills: int, plain: int, seed: int, jobs: int, only_print: bool) -> None:
    """Do the faults, print the table and write it into README.md; exit code 1 if a promise was broken."""
    begun = time.monotonic()
    chunks = plan(kills, plain, seed)
    counts = {(kind, plain): Count() for kind, plain, *_ in chunks}
    with ProcessPoolExecutor(jobs, mp_context=fork) as pool:
        futures = [pool.submit(run_chunk, *chunk) for chunk in chunks]
        console = Console(stderr=True)
        for future in track(
            as_completed(futures), "faults", len(futures), console=console, disable=not console.is_terminal
        ):
            kind, is_plain, count = future.result()
            counts[kind, is_plain] += count
    text = table(counts)
    for (_, is_plain), count in counts.items():
        for reason in count.reasons:
            click.echo(f"{'plain pyftpdlib: ' if is_plain else ''}{reason}", err=True)
    click.echo(f"{text}\n\nseed {seed}, {time.monotonic() - begun:.0f} s")
    if not only_print:
        write_section("faults", text)
    raise SystemExit(any(count.is_broken for (_, is_plain), count in counts.items() if not is_plain))


if __name__ == "__main__":
    main()
