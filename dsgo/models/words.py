"""What the history of Production tells, in words."""

from collections.abc import Sequence

from dsgo.models.production import Entry


def why_there(history: Sequence[Entry], entry: Entry) -> tuple[str, str]:
    """Return what brought a version into Production, as (name, text); `history` is the newest first.

    The reason of a rollback is about the version that was left, so that is what the name says.

    >>> from datetime import UTC, datetime
    >>> when = datetime(2026, 1, 1, tzinfo=UTC)
    >>> two = Entry("2", when, when, "gate", "better by 3%", None)
    >>> one = Entry("1", when, None, "rollback", "night values are off", None)
    >>> why_there([one, two], two), why_there([one, two], one)
    (('Why', 'better by 3%'), ('Version 2 was rolled back', 'night values are off'))
    """
    if entry.how != "rollback":
        return "Why", entry.why
    earlier = [other.version for other in history[history.index(entry) + 1 :] if other.version]
    return (f"Version {earlier[0]} was rolled back" if earlier else "The version before was rolled back"), entry.why
