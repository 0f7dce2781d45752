"""What is known to be acknowledged, what was found of it, and the counts of both."""

from dataclasses import dataclass, field, fields


@dataclass
class Count:
    """The outcome of some faults; all zero but the first four is what a store promises."""

    faults: int = 0
    in_transfer: int = 0  # faults that struck while a client was transferring
    acknowledged: int = 0
    files: int = 0  # files looked at
    torn: int = 0
    lost: int = 0
    temporary: int = 0  # names of temporary files in a listing
    failed: int = 0  # next runs that failed, clients that never ended
    reasons: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Count") -> "Count":
        """Add another count."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    @property
    def is_broken(self) -> bool:
        """Tell whether a promise was broken."""
        return bool(self.torn or self.lost or self.temporary or self.failed)


class Ledger:
    """What is known to be acknowledged, and what was found of it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.count = Count()
        self._acknowledged: dict[str, int] = {}
        self._torn: set[str] = set()
        self._lost: set[str] = set()

    def note(self, name: str, version: int) -> None:
        """Note an upload that was acknowledged."""
        self._acknowledged[name] = version
        self.count.acknowledged += 1

    def hold(self, files: dict[str, int | None], temporary: int) -> None:
        """Hold the files found, by version (None: torn), against it; what was torn or lost before counts once."""
        torn = {name for name, version in files.items() if version is None}
        lost = {name for name, version in self._acknowledged.items() if (files.get(name, -1) or version) < version}
        self.count.files += len(files)
        self.count.temporary += temporary
        self.count.torn += len(torn - self._torn)
        self.count.lost += len(lost - self._lost)
        self._torn, self._lost = torn, lost
