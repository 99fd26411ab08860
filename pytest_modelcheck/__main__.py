"""`python -m pytest_modelcheck`: what can be done with reports once they are written."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TextIO

from pytest_modelcheck import __version__
from pytest_modelcheck.baselines.files import write_whole
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.escape import printable
from pytest_modelcheck.reports import RENDERERS, changes, terminal
from pytest_modelcheck.reports.columns import Line
from pytest_modelcheck.reports.comparing import compare
from pytest_modelcheck.reports.reading import read_report
from pytest_modelcheck.reports.schema import schema

_PROGRAM = "python -m pytest_modelcheck"
_PASSED, _FAILED, _UNUSABLE = 0, 1, 2

_ANSI: Mapping[str, str] = MappingProxyType({"bold": "1", "red": "31", "green": "32", "yellow": "33"})

# Where there is no terminal, as in the log of a CI job.
_USUAL_WIDTH = 160

_EXAMPLES = f"""\
examples:
  pytest --modelcheck --modelcheck-report=new.json
  {_PROGRAM} show new.json --html new.html
  {_PROGRAM} compare main.json new.json --markdown compare.md
  {_PROGRAM} schema > report.schema.json
"""

_COMPARE = """\
Print what got better and what got worse from one JSON report to the next, and exit with 1 where that is a regression.

Rows are matched by gate, check, part and device. A row is worse whose promise was kept and is not any more, or whose
number is worse beyond noise: the bounds of the difference, at the confidence of the numbers' own bounds, exclude 0. A
number without bounds is exact, and any change of it counts. Each bound holds at its confidence: of twenty numbers that
did not change in truth, about one is worse and one better at 95 %, and fewer where both runs saw the same samples.

A row that is gone, and numbers that are not comparable (of other data, or of another name), are regressions as well:
what was not measured did not pass. So is a new report that is incomplete. Compare runs with the same options: a number
that is read to its end with --modelcheck-full may not be there without it.
"""

_COMPARE_MORE = f"""\
exit codes:
  0  no regression
  1  a regression
  2  a report that cannot be read, reports without a gate in common, a wrong option

examples:
  {_PROGRAM} compare main.json new.json
  {_PROGRAM} compare main.json new.json --all --markdown changes.md
  {_PROGRAM} compare main.json new.json --allow-missing   # after gates were removed on purpose
"""

_SHOW = "Print the gate table of a saved JSON report again, and exit with 1 where its run did not pass."

_SHOW_MORE = f"""\
exit codes:
  0  the run passed
  1  it did not: a gate failed, none was measured, or the run was cut short
  2  a report that cannot be read, a wrong option

examples:
  {_PROGRAM} show report.json
  {_PROGRAM} show report.json --markdown report.md --html report.html
"""

_SCHEMA = "Print the JSON Schema of the JSON reports, for programs that read them."

_SCHEMA_MORE = f"""\
examples:
  {_PROGRAM} schema > report.schema.json
"""


class Answer(NamedTuple):
    """The lines that a command prints, and the exit code of the process."""

    lines: Sequence[Line]
    code: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit code of the process."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return _UNUSABLE
    try:
        answer = options.command(options)
    except (ModelCheckError, OSError) as error:
        return _unusable(error)
    except OverflowError as error:  # an integer of JSON may have any size
        return _unusable(ModelCheckError(f"a number of the report is too large: {error}"))
    try:
        _print(answer.lines, sys.stdout)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again at its end
        if not isinstance(error, BrokenPipeError):  # whoever broke it has seen enough; the verdict is what it is
            return _unusable(error)
    return int(answer.code)


def _unusable(error: Exception) -> int:
    sys.stderr.write(f"{_PROGRAM}: error: {printable(str(error))}\n")
    return _UNUSABLE


def _compare(options: argparse.Namespace) -> Answer:
    old, new = read_report(Path(options.old)), read_report(Path(options.new))
    comparison = compare(old, new, names=(options.old, options.new))
    regressions = comparison.regressions(allow_missing=options.allow_missing, allow_other_data=options.allow_other_data)
    if options.markdown:
        _write(options.markdown, changes.markdown(comparison, regressions, everything=options.all))
    lines = changes.lines(comparison, regressions, width=_width(), everything=options.all)
    verdicts = {change.verdict for change in comparison.changes}
    if "gone" in verdicts and not options.allow_missing:
        lines.append(Line("let pass what is gone on purpose: --allow-missing"))
    if "not comparable" in verdicts and not options.allow_other_data:
        lines.append(Line("let pass what is not comparable: --allow-other-data"))
    return Answer(lines, _FAILED if regressions else _PASSED)


def _show(options: argparse.Namespace) -> Answer:
    run = read_report(Path(options.report))
    for path, ending in ((options.markdown, ".md"), (options.html, ".html")):
        if path:
            _write(path, RENDERERS[ending](run))
    verdict = Line("the run passed", ("green", "bold")) if run.passed else Line("the run did not pass", ("red", "bold"))
    return Answer([*terminal.render(run, width=_width()), verdict], _PASSED if run.passed else _FAILED)


def _schema(_: argparse.Namespace) -> Answer:
    return Answer([Line(text) for text in json.dumps(schema(), indent=2, sort_keys=True).split("\n")], _PASSED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Compare, show and describe the JSON reports of pytest --modelcheck.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pytest-modelcheck {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="command")

    compared = _command(commands, "compare", "what got better and what got worse", _COMPARE, _COMPARE_MORE, _compare)
    compared.add_argument("old", metavar="old.json", help="the report to compare with, as of the main branch")
    compared.add_argument("new", metavar="new.json", help="the report that is judged")
    compared.add_argument("--markdown", metavar="PATH", help="write the same as Markdown there")
    compared.add_argument("--all", action="store_true", help="list what is the same as well")
    compared.add_argument("--allow-missing", action="store_true", help="what is gone is no regression")
    compared.add_argument(
        "--allow-other-data", action="store_true", help="what is not comparable is no regression: other data, say"
    )

    shown = _command(commands, "show", "the gate table of a saved report", _SHOW, _SHOW_MORE, _show)
    shown.add_argument("report", metavar="report.json", help="a report of --modelcheck-report=report.json")
    shown.add_argument("--markdown", metavar="PATH", help="write the report as Markdown there")
    shown.add_argument("--html", metavar="PATH", help="write the report as an HTML page there")

    _command(commands, "schema", "the JSON Schema of reports", _SCHEMA, _SCHEMA_MORE, _schema)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    short: str,
    description: str,
    more: str,
    run: Callable[[argparse.Namespace], Answer],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=short,
        description=description,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    return parser


def _write(name: str, text: str) -> None:
    path = Path(name).resolve()
    if path.exists() and not path.is_file():
        raise ModelCheckError(f"{name} cannot be written: it is no file")
    try:
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary and path == Path(summary).resolve() and path.exists():
            text = path.read_text(encoding="utf-8") + "\n\n" + text  # others have written there before
        write_whole(path, text)
    except (OSError, UnicodeError) as error:
        raise ModelCheckError(f"{name} cannot be written: {error}") from None


def _width() -> int:
    return shutil.get_terminal_size((_USUAL_WIDTH, 0)).columns or _USUAL_WIDTH


def _print(lines: Sequence[Line], stream: TextIO | None) -> None:
    """The lines, in colour where the stream is a terminal that wants it; what it cannot show is escaped."""
    if stream is None:
        return
    has_colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = stream.encoding or "utf-8"
    for line in lines:
        text = printable(line.text).encode(encoding, "backslashreplace").decode(encoding)
        codes = ";".join(_ANSI[style] for style in line.styles)
        stream.write(f"\x1b[{codes}m{text}\x1b[0m\n" if has_colour and codes else f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
