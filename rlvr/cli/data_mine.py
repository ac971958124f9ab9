"""`rlvr data mine`: a local git repository's history as tasks for the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from rlvr.runs.rendering import printable


@click.command("mine", short_help="a git repository's history as tasks for the terminal")
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Folder for one folder per task, in Harbor's format. Tasks that are there are kept.",
)  # fmt: skip
@click.option(
    "--most",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="The most tasks to make.",
)
@click.option("--since", metavar="DATE", help="Only commits from this date on (default: all).")
@click.option("--walk", default=1000, show_default=True, type=click.IntRange(min=1),
              help="Most commits to look at, from the newest.")  # fmt: skip
@click.option("--only", multiple=True, metavar="PATH",
              help="Only commits that change something there; repeatable (default: anywhere).")  # fmt: skip
@click.option("--packages", default="pytest", show_default=True, metavar="NAME,…",
              help="Packages that the tests need; jails must have them (rlvr sandbox build --packages).")  # fmt: skip
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE",
              help="Variable that the tests are run with; repeatable.")  # fmt: skip
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="Seconds for one run of a commit's tests.")  # fmt: skip
@click.option("--guesses", default=20, show_default=True, type=click.IntRange(min=1),
              help="Leave out commits whose test results could be forged once in fewer guesses.")  # fmt: skip
@click.option("--most-mb", default=8.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="Most MiB of the repository's files together.")  # fmt: skip
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1),
              help="Commits that are tried at a time.")  # fmt: skip
def command(
    repository: Path,
    output: Path,
    most: int,
    since: str | None,
    walk: int,
    only: tuple[str, ...],
    packages: str,
    variables: tuple[str, ...],
    timeout: float,
    guesses: int,
    most_mb: float,
    jobs: int,
) -> None:
    """Make tasks of REPOSITORY's commits that change sources and tests: the sources are undone, the tests judge.

    Each task is checked in jails: tests fail before and pass after, and the whole verification passes 5 of 5 times.
    Play them with `rlvr eval terminal --data DIR`.

    Exit status: 0 done, 3 if no commit makes a task, 2 bad usage.
    """
    from rlvr.authoring.mining import mine

    environment = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--env takes NAME=VALUE, not {variable!r}.")
        environment[name] = value
    report = mine(
        repository,
        output,
        most=most,
        since=since,
        walk=walk,
        only=only,
        packages=[name.strip() for name in packages.split(",") if name.strip()],
        environment=environment,
        timeout_s=timeout,
        least_guesses=guesses,
        most_mb=most_mb,
        jobs=jobs,
        progress=lambda line: click.echo(printable(line, 160), err=True),
    )
    click.echo(
        f"{len(report.tasks)} tasks of {report.walked} commits with sources and tests, in {output}"
    )
    for reason, count in sorted(report.rejected.items(), key=lambda item: -item[1]):
        click.echo(f"  {count} commits: {reason}")
    if not report.tasks:
        raise click.exceptions.Exit(3)
