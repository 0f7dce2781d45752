"""Writes a benchmark's table into its section of README.md here."""

from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the comments `<!-- name -->` and `<!-- end of name -->`; raises ValueError."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, opening, rest = README.read_text("utf-8").partition(begin)
    _, closing, after = rest.partition(end)
    if not (opening and closing):
        raise ValueError(f"{README} has no section {name}")
    README.write_text(f"{before}{begin}{text.rstrip()}\n{end}{after}", "utf-8")
