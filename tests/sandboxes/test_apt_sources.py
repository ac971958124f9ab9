from __future__ import annotations

from pathlib import Path

import pytest

from rlvr.core.errors import SandboxError
from rlvr.sandboxes.docker.apt_sources import Archive, archive

DEBIAN = Archive("http://deb.debian.org/debian", "bookworm", ("main",))


def system(root: Path, codename: str = "bookworm", **files: str) -> Path:
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/os-release").write_text(f'ID=debian\nVERSION_CODENAME="{codename}"\n')
    for name, text in files.items():
        folder = root / ("etc/apt" if name == "sources_list" else "etc/apt/sources.list.d")
        (folder / name.replace("_", ".")).write_text(text)
    return root


def test_one_line_format(tmp_path: Path) -> None:
    lines = """
# deb http://old.example/debian bookworm main
deb-src http://deb.debian.org/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb  http://deb.debian.org/debian  bookworm  main  # the one
"""
    assert archive(system(tmp_path, sources_list=lines)) == DEBIAN


def test_one_line_options(tmp_path: Path) -> None:
    keys = tmp_path / "keys.gpg"
    keys.touch()
    line = f"deb [arch=amd64 signed-by={keys}] https://mirror.example/ubuntu noble main universe\n"
    found = archive(system(tmp_path, "noble", ubuntu_list=line))
    assert found == Archive(
        "https://mirror.example/ubuntu", "noble", ("main", "universe"), str(keys)
    )


def test_deb822_format(tmp_path: Path) -> None:
    text = """
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

# a snapshot, once
Types: deb deb-src
URIs: http://deb.debian.org/debian
# of two suites
Suites: bookworm-updates
  bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFRATC4BEACqAIMeNOzRAbjiExJ1ZJ4=
"""
    assert archive(system(tmp_path, debian_sources=text)) == DEBIAN


def test_a_vendors_archive_doesnt_come_first(tmp_path: Path) -> None:
    found = archive(
        system(
            tmp_path,
            a_list="deb https://vendor.example/apt tools-bookworm main\n",
            b_sources="Types: deb\nURIs: https://vendor.example/node\nSuites: nodistro\nComponents: main\n",
            c_list="deb http://deb.debian.org/debian bookworm main\n",
        )
    )
    assert found == DEBIAN


def test_a_suite_by_another_name(tmp_path: Path) -> None:
    found = archive(system(tmp_path, a_list="deb http://deb.debian.org/debian stable main\n"))
    assert found.suite == "stable"


@pytest.mark.parametrize("line", ["", "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main"])
def test_none(tmp_path: Path, line: str) -> None:
    with pytest.raises(SandboxError, match="name no archive"):
        archive(system(tmp_path, a_list=line))
