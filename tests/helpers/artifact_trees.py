"""Trees of files and folders for the tests of artifact repositories: there and back, unchanged."""

from hypothesis import strategies as st

NAMES = [
    *("a b", "trailing ", " leading", "-dash", "--", ".hidden", "...", "*?[x]", "{a,b}", "~", "$HOME", "a%20b", "#?"),
    *("q\"u'o`te", "back\\slash", "ü€😀", "e\u0301", "\u2028", "x" * 255, "€" * 85, "a;b=c", "|", "PaSs"),
]


def is_name(text):
    return text not in (".", "..") and len(text.encode()) <= 255 and not text.startswith(".partial-")


letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/")
names = st.sampled_from(NAMES) | st.text(letters, min_size=1, max_size=60).filter(is_name)
# A file is its bytes, a folder a dictionary.
trees = st.dictionaries(
    names,
    st.recursive(st.binary(max_size=3000), lambda below: st.dictionaries(names, below, max_size=4), max_leaves=8),
    max_size=5,
)
NASTY = {name: name.encode() for name in NAMES} | {
    "folders": {name: {name: name.encode(), "hollow": {}} for name in NAMES},
    "empty": b"",
    "lines": b"\r\n\r\x00\n\xff\xff" * 1000,
    "hollow": {},
}


def write(tree, folder):
    folder.mkdir(parents=True)
    for name, what in tree.items():
        write(what, folder / name) if isinstance(what, dict) else (folder / name).write_bytes(what)


def read(folder):
    return {path.name: read(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


def listed(repo, path=None):
    """What the repository lists: sizes in place of bytes."""
    found = {}
    for info in repo.list_artifacts(path):
        found[info.path.rpartition("/")[2]] = listed(repo, info.path) if info.is_dir else info.file_size
    return found


def sizes(tree):
    return {name: sizes(what) if isinstance(what, dict) else len(what) for name, what in tree.items()}


def check_round_trip(repo, tree, folder):
    """Upload, list, download and delete a tree; `folder` is a new one for the local files."""
    write(tree, folder / "there")
    repo.log_artifacts(str(folder / "there"), "top")
    assert listed(repo, "top") == sizes(tree)
    (folder / "back").mkdir()
    repo.download_artifacts("top", str(folder / "back"))
    assert read(folder / "back" / "top") == tree
    repo.delete_artifacts("top")
    assert listed(repo, None) == {}
