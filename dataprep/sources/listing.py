"""Paths, folders and globs become a list of input files, sorted by name, whatever order the store lists them in.

Decisions:
- A file's ``name`` is its path below the longest folder that all ``paths`` share. It is what locators, and so document
  ids, are made of: moving the corpus as a whole changes nothing, and two files never share a name.
- What a folder holds besides readable files is returned as ``ignored``, so that a manifest can show it.
"""

import glob
import os
import posixpath
from dataclasses import dataclass

import fsspec

from dataprep import storage
from dataprep.sources.settings import FilesSettings, Format

SUFFIXES: dict[str, Format] = {
    **dict.fromkeys((".warc", ".warc.gz", ".warc.lz4", ".warc.zst"), "warc"),
    **dict.fromkeys((".wet", ".wet.gz"), "wet"),
    **{f"{base}{packed}": "jsonl" for base in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")},
    ".parquet": "parquet",
    **{
        f"{base}{packed}": "text"
        for base in (".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml")
        for packed in ("", ".gz", ".zst")
    },
}


@dataclass(frozen=True, order=True)
class InputFile:
    """One file to read. ``version`` is the modification time or etag."""

    name: str
    path: str
    size: int
    version: str
    format: Format


def format_of(path: str) -> Format | None:
    """By the longest known suffix of the file name, in any letter case; None if there is none."""
    base = posixpath.basename(path).lower()
    for start in (index for index, character in enumerate(base) if character == "."):
        if base[start:] in SUFFIXES:
            return SUFFIXES[base[start:]]
    return None


def list_inputs(settings: FilesSettings, field: str = "paths") -> tuple[list[InputFile], list[str]]:
    """The input files and the names of the ignored ones, both sorted by name.

    Raises ``ValueError`` naming ``field`` and the path if a path is missing or matches nothing, or if a file that was
    named outright has an unknown extension under ``format: auto``.
    """
    found: dict[str, tuple[storage.FileInfo, Format]] = {}
    ignored: set[str] = set()
    roots: list[str] = []
    for entry in settings.paths:
        path = os.path.abspath(storage.local_path(entry)) if storage.is_local(entry) else entry.rstrip("/")
        matches, root, named = _expand(path)
        if not matches:
            raise ValueError(
                f"{field}: {entry!r} does not exist or matches nothing; give files, folders or globs that do"
            )
        roots.append(root)
        for file in matches:
            # in a folder a fixed format still goes by suffix: a README beside the archives is not an archive
            known = format_of(file.path)
            fits = known == settings.format or {known, settings.format} == {"warc", "wet"}
            if settings.format == "text" and "." not in posixpath.basename(file.path):
                fits = True  # LICENSE, README, COPYING
            form = known
            if settings.format != "auto":
                form = settings.format if fits or file.path in named else None
            if form is not None:
                found[file.path] = (file, form)
            elif file.path == path:
                raise ValueError(
                    f"{field}: {entry!r} has an extension that format: auto does not know; "
                    f"set format to warc, wet, jsonl, parquet or text"
                )
            else:
                ignored.add(file.path)
    root = _common(roots)
    cut = len(root) + 1 if root else 0
    files = [InputFile(path[cut:], path, info.size, info.version, form) for path, (info, form) in found.items()]
    return sorted(files), sorted(path[cut:] for path in ignored - found.keys())


def _expand(path: str) -> tuple[list[storage.FileInfo], str, set[str]]:
    """Matching files, the folder they lie under, and which of them were named (outright or by a glob, not a folder)."""
    if not glob.has_magic(path):
        matches = storage.list_files(path, recursive=True)
        named = {file.path for file in matches if file.path == path}
        return matches, posixpath.dirname(path) if named else path, named
    if storage.is_local(path):
        names = glob.glob(path, recursive=True)
    else:
        fs, inner = fsspec.url_to_fs(path)
        names = [fs.unstrip_protocol(name) for name in fs.glob(inner)]
    fixed = path[: min(path.find(character) for character in "*?[" if character in path)]
    matches = [file for name in names for file in storage.list_files(name, recursive="**" not in path)]
    return matches, posixpath.dirname(fixed), {file.path for file in matches} & set(names)


def _common(roots: list[str]) -> str:
    parts = [root.split("/") for root in roots]
    shared = 0
    while all(len(p) > shared and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return "/".join(parts[0][:shared])
