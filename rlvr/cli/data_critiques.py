"""`rlvr data critiques`: critique-and-rewrite records as training data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from rlvr.cli.options import environment_options
from rlvr.runs.rendering import printable

_UNSCORED = 3
_FORMATS = ("records", "preferences", "sft", "revisions", "rubric")


@click.command("critiques", short_help="critiques and rewrites as training data")
@click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", required=True, type=click.Choice(_FORMATS), help="The form to write.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
              metavar="OUT", help="The file to write: Parquet if it ends in .parquet, otherwise JSONL.")  # fmt: skip
@click.option("--verdicts", metavar="ENV",
              help="An environment whose verifier judges responses and rewrites (default: the rewards in FILE, if any).")  # fmt: skip
@click.option("--margin", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="For preferences: the least difference of two rewards.")  # fmt: skip
@click.option("--threshold", type=float,
              help="For sft and revisions: the least reward of a judged rewrite (default 1).")  # fmt: skip
@environment_options
def command(
    source: Path,
    to: str,
    output: Path,
    verdicts: str | None,
    margin: float,
    threshold: float | None,
    split: str | None,
    data: str | None,
    env_options: tuple[str, ...],
) -> None:
    """Write the critique-and-rewrite records of FILE in another form.

    \b
    records      all records, with their rewards
    preferences  pairs for DPO: the rewrite is chosen, the response rejected
    sft          the prompt and the rewrite, for fine-tuning
    revisions    the prompt, the response and the critique, and then the rewrite
    rubric       the critique's points as a rubric for a judge

    A row of FILE has prompt, response, critique and rewrite, and may have id, reference, metadata, response_reward and
    rewrite_reward. FILE may also be one of these forms. A judged rewrite that earns less than its response is in none of
    preferences, sft and revisions. --split, --data and --env are for --verdicts.

    Exit status: 0 done, 3 if a response or rewrite has no verdict, 2 bad usage.
    """
    from rlvr.cli.options import make_environment
    from rlvr.evaluation.critiques import judged_critiques, read_critiques
    from rlvr.evaluation.exports.critiques import export_critiques

    if output.resolve() == source.resolve():
        raise click.UsageError(f"{source} would be overwritten: it is the input.")
    if verdicts is None and (split or data or env_options):
        raise click.UsageError("--split, --data and --env are for --verdicts ENV.")
    records = list(read_critiques(source))
    causes: Counter[str] = Counter()
    if verdicts is not None:
        env = make_environment(verdicts, split, data, env_options)
        judged = list(judged_critiques(records, env))
        records = [record for record, _ in judged]
        for _, pair in judged:
            causes.update(
                f"{verdict.cause}: {verdict.message}" for verdict in pair if not verdict.scored
            )
    done = export_critiques(
        records, to, output, margin=margin, threshold=threshold, env=verdicts or ""
    )
    for path in done.paths:
        click.echo(path)
    for line in (done.summary, *done.notes):
        click.echo(f"rlvr: {line}", err=True)
    for cause, count in causes.most_common(5):
        click.echo(f"rlvr: {count} without a verdict ({printable(cause, 160)})", err=True)
    if causes:
        raise click.exceptions.Exit(_UNSCORED)
