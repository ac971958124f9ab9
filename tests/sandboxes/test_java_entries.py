"""Java programs may be called anything: which class starts, and in which file it belongs."""

from __future__ import annotations

import pytest

from rlvr.core.errors import LacksError
from rlvr.sandboxes import Limits, Program, Sandbox
from rlvr.sandboxes.java import entry_of

MAIN = "public static void main(String[] a) { System.out.println(7); }"
ENTRIES = [
    (f"public class Main {{ {MAIN} }}", "Main.java", "Main"),
    (f"public class Solution {{ {MAIN} }}", "Solution.java", "Solution"),
    (f"class Solution {{ {MAIN} }}", "Main.java", "Solution"),
    (f"package org.x;\npublic class A {{ {MAIN} }}", "A.java", "org.x.A"),
    (f"package  org . x ;\nclass A {{ {MAIN} }}", "Main.java", "org.x.A"),
    (f"class Helper {{ int f() {{ return 1; }} }} class Run {{ {MAIN} }}", "Main.java", "Run"),
    (f"class Test {{ {MAIN} }} public class Real {{ {MAIN} }}", "Real.java", "Real"),
    (f"class Test {{ {MAIN} }} class Main {{ {MAIN} }}", "Main.java", "Main"),
    (f"public class Lib {{ }} class Run {{ {MAIN} }}", "Lib.java", "Run"),
    (f"public final class F<T extends Comparable<T>> {{ {MAIN} }}", "F.java", "F"),
    ("public class A { static public void main(final String... a) {} }", "A.java", "A"),
    ("public class A { public static void main(java.lang.String a[]) {} }", "A.java", "A"),
    (f"interface I {{ {MAIN} }}", "Main.java", "I"),
    (f"enum E {{ X; {MAIN} }}", "Main.java", "E"),
    (f"public record R(int x) {{ {MAIN} }}", "R.java", "R"),
    (f"@Deprecated @X({{1}}) public class A {{ {MAIN} }}", "A.java", "A"),
    (f"// public class No {{\n/* public class No {{ */ public class A {{ {MAIN} }}", "A.java", "A"),
    (f'class A {{ String s = "}} public class No {{"; {MAIN} }}', "Main.java", "A"),
    (f"class A {{ char c = '}}', d = '\\''; {MAIN} }}", "Main.java", "A"),
    (f'class A {{ String s = """\n }} public class "No" {{ """; {MAIN} }}', "Main.java", "A"),
    (f"class A {{ class Main {{ void main(String[] a) {{}} }} {MAIN} }}", "Main.java", "A"),
    ("class B { void main(String[] a) {} } class C { void f() {} }", "Main.java", "B"),
    (f"public class Größe {{ {MAIN} }}", "Größe.java", "Größe"),
    (f"public class A$b {{ {MAIN} }}", "A$b.java", "A$b"),
    (f"class A {{ void publicclass() {{}} {MAIN} }}", "Main.java", "A"),
    ("", "Main.java", "Main"),
    ("}}}} ((( ;;; public class", "Main.java", "Main"),
]


@pytest.mark.parametrize(("source", "file", "main"), ENTRIES)
def test_the_class_and_its_file(source: str, file: str, main: str) -> None:
    assert entry_of(source.encode()) == (file, main)


@pytest.mark.parametrize(
    "source",
    ["/*" * 500_000, '"' * 999_999, '"""' * 333_333 + "x", "'" * 999_999, "class A{" * 120_000, "(" * 10**6,
     "package " + "a." * 400_000, "public class " + "𝐀" * 200_000, "class\n" * 160_000, "\\" * 10**6],
)  # fmt: skip
def test_hostile_sources_are_read_in_linear_time(source: str) -> None:
    entry = entry_of(source.encode())
    assert len(entry.file.encode()) <= 255
    assert len(entry.main) < 1100


def test_no_name_is_too_long_for_the_jail(sandbox: Sandbox) -> None:
    source = "package " + "a." * 90_000 + f"b;\npublic class {'x' * 70_000} {{ {MAIN} }}"
    try:
        run = sandbox.run(Program(source.encode(), "java"), [b""], Limits(compile_s=90))
    except LacksError as error:
        pytest.skip(str(error))
    assert run.compile_error is not None


def test_no_program_overwrites_a_file_beside_it(sandbox: Sandbox) -> None:
    program = Program(b"public class Helper { }", "java", {"Helper.java": b"class Helper {}"})
    try:
        run = sandbox.run(program, [b""], Limits(wall_s=30, compile_s=90))
    except LacksError as error:
        pytest.skip(str(error))
    assert "should be declared in a file named Helper.java" in (run.compile_error or "")
