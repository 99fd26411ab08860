"""A function becomes a check: its assert form and its marker form follow from one signature.

Before the slash stand the subjects, what is looked at; after the star stand the promises, what must hold.
"""

from __future__ import annotations

import difflib
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Annotated, Any, Generic, ParamSpec, get_args, get_origin, get_type_hints

from pytest_modelcheck import leaks, process
from pytest_modelcheck.comparison import shown
from pytest_modelcheck.context import current
from pytest_modelcheck.errors import (
    RAISED,
    ConfigError,
    MissingDependency,
    ModelCheckError,
    ModelCheckFailure,
    is_panic,
    told,
)
from pytest_modelcheck.escape import printable_lines, without_credentials
from pytest_modelcheck.result import Result
from pytest_modelcheck.settled import settled

P = ParamSpec("P")

# Looks at all promises that were given, by their names.
Together = Callable[[Mapping[str, Any]], object]


class Check(Generic[P]):
    """One kind of promise, as a function of its subjects and promises that returns a `Result`.

    Calling a check measures and judges, and returns the `Result` whatever the verdict. `assert_form` does the same
    and raises where the promise is not kept. `bind_marker` reads the arguments of the check's pytest marker.
    A promise annotated as `Annotated[T, validate]` has `validate(name, value)` called before anything is measured, and
    `together(promises)` is called with those that were given.
    """

    def __init__(self, function: Callable[P, Result], together: Together | None = None) -> None:
        parameters = inspect.signature(function).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        if not kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY}:
            raise TypeError(f"{function.__qualname__}: a check has subjects before a slash and promises after a star")
        self.function = function
        self.together = together
        self.name = function.__name__
        self.module = function.__module__
        self.summary = (inspect.getdoc(function) or "").partition("\n")[0]
        self.subjects = tuple(item.name for item in parameters if item.kind is item.POSITIONAL_ONLY)
        self.promises = {
            item.name: item.replace(annotation=_annotation(function, item))
            for item in parameters
            if item.kind is item.KEYWORD_ONLY
        }
        if not self.subjects or not self.summary:
            raise TypeError(f"{function.__qualname__}: a check has at least one subject and a docstring")
        self.assert_form = _assert_form(self)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @property
    def marker(self) -> str:
        """The name of the check's pytest marker."""
        return f"modelcheck_{self.name}"

    @property
    def marker_line(self) -> str:
        """The line of the check under `pytest --markers`."""
        arguments = ", ".join(_shown(item) for item in self.promises.values())
        return f"{self.marker}({arguments}): {self.summary} Subjects: the fixtures {', '.join(self.subjects)}."

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Measure, judge, and return the result, whatever the verdict."""
        return self.run(args, kwargs)[0]

    def run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Result, BaseException | None]:
        """The result, and the exception of the subject's own that stood in the way of measuring, if there was one."""
        __tracebackhide__ = True
        self._require_subjects(args)
        given, kwargs = kwargs, {name: settled(value) for name, value in kwargs.items()}
        self.validate(kwargs)
        started = time.perf_counter()
        with process.preserved_world() as changes:
            result, cause = self._measure(args, kwargs, given)
        result = replace(result, changes=(*result.changes, *changes))
        if current().strict_leaks:
            result = leaks.judged(result)
        subject = result.subject or _name_of(args[0])
        message = result.message and _inert(f"{self.name} of {subject}: {result.message}")
        return replace(
            result,
            check=self.name,
            subject=subject,
            message=message,
            parts=tuple(replace(part, message=_inert(part.message)) for part in result.parts),
            seconds=time.perf_counter() - started,
        ), cause

    def validate(self, promises: Mapping[str, Any]) -> None:
        """Raise a `ConfigError` where the promises do not fit the signature, or no promise is made."""
        __tracebackhide__ = True
        for name in promises:
            if name not in self.promises:
                raise ConfigError(f"{self.name} has no promise {name!r}{_hint(name, self.promises)}")
        for name, parameter in self.promises.items():
            if name in promises:
                if promises[name] is None and parameter.default is None:
                    continue
                for validator in _validators(parameter.annotation):
                    validator(name, promises[name])
            elif parameter.default is parameter.empty:
                raise ConfigError(f"{self.name} needs the promise {name!r}{_hint('', self.promises)}")
        if all(promises.get(name, item.default) is None for name, item in self.promises.items()):
            raise ConfigError(f"{self.name} promises nothing: give at least one of {', '.join(self.promises)}")
        if self.together is not None:
            self.together({name: value for name, value in promises.items() if value is not None})

    def bind_marker(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> BoundMarker:
        """The promises of a marker and the fixtures of its subjects; a `ConfigError` where they do not fit."""
        if args:
            raise ConfigError(f"{self.marker} takes keywords only, not {args[0]!r}{_hint('', self.promises)}")
        fixtures = {name: kwargs.get(name, name) for name in self.subjects}
        for name, fixture in fixtures.items():
            if not isinstance(fixture, str):
                raise ConfigError(f"{self.marker}({name}=...) is the name of a fixture, not {fixture!r}")
        promises = {name: settled(value) for name, value in kwargs.items() if name not in self.subjects}
        self.validate(promises)
        return BoundMarker(self, tuple(fixtures.values()), promises)

    def _require_subjects(self, args: tuple[Any, ...]) -> None:
        if len(args) != len(self.subjects):
            expected = f"{', '.join(self.subjects)} (positional)"
            raise ConfigError(f"{self.name} takes {expected}, but {len(args)} positional arguments were given")

    def _measure(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], given: Mapping[str, Any]
    ) -> tuple[Result, BaseException | None]:
        """What the check finds; `given` are the same promises, of which it cannot have changed any."""
        try:
            result = self.function(*args, **kwargs)
        except ConfigError:
            raise
        except ModelCheckError as error:
            # A package that is missing is said in full; where its import failed helps nobody.
            cause = None if isinstance(error, MissingDependency) else error.__cause__
            return _unmeasured(given, f"not measured: {error}"), cause
        except BaseException as error:
            if not isinstance(error, RAISED) and not is_panic(error):
                raise
            return _unmeasured(given, f"not measured: {told(error)}"), error
        if not issubclass(type(result), Result):  # what it says of its own class is not believed
            return _unmeasured(given, f"not measured: the check returned {shown(result)}, not a Result"), None
        return result, None


@dataclass(frozen=True)
class BoundMarker:
    """A marker that was read: its check, the fixtures of its subjects in order, and its promises."""

    check: Check[Any]
    fixtures: tuple[str, ...]
    promises: Mapping[str, Any]


def check(function: Callable[P, Result]) -> Check[P]:
    """Make a check of a function: subjects before the slash, promises after the star, a `Result` returned.

    >>> @check
    ... def length(text: str, /, *, at_most: int) -> Result:
    ...     '''The text is at most this long.'''
    ...     outcome = "passed" if len(text) <= at_most else "failed"
    ...     return Result(outcome, f"at most {at_most}", f"{len(text)}", message=f"{len(text)} characters")
    >>> length("four", at_most=4).ok
    True
    >>> length.assert_form("fives", at_most=4)
    Traceback (most recent call last):
    pytest_modelcheck.ModelCheckFailure: length of str: 5 characters
    """
    return Check(function)


def check_together(together: Together) -> Callable[[Callable[P, Result]], Check[P]]:
    """Make a check whose promises are also looked at together: `together` raises a `ConfigError` where they clash."""
    return lambda function: Check(function, together)


def raise_unless_ok(result: Result, cause: BaseException | None = None) -> None:
    """Raise what a result stands for: a failure, an error, or nothing."""
    __tracebackhide__ = True
    if result.ok:
        return
    error = ModelCheckFailure if result.outcome == "failed" else ModelCheckError
    message = result.message
    if not all(change in message for change in result.changes):
        message += f"\n{leaks.named('The check also', result.changes)}"
    raise error(message) from cause


def _assert_form(owner: Check[P]) -> Callable[P, Result]:
    def assert_form(*args: P.args, **kwargs: P.kwargs) -> Result:
        __tracebackhide__ = True
        result, cause = owner.run(args, kwargs)
        context = current()
        context.record(result)
        if not result.ok and not context.lets_through(result):
            raise_unless_ok(result, cause)
        return result

    assert_form.__name__ = assert_form.__qualname__ = f"assert_{owner.name}"
    assert_form.__module__ = owner.module
    assert_form.__doc__ = owner.function.__doc__
    assert_form.__signature__ = inspect.signature(owner.function)  # type: ignore[attr-defined]
    return assert_form


def _unmeasured(given: Mapping[str, Any], message: str) -> Result:
    promised = ", ".join(f"{name}={shown(settled(value))}" for name, value in given.items())
    return Result(outcome="error", promised=promised, measured="not measured", message=message)


def _inert(text: str) -> str:
    return printable_lines(without_credentials(text))


def _name_of(subject: object) -> str:
    if isinstance(subject, type) or inspect.isroutine(subject):
        return subject.__qualname__
    return type(subject).__name__


def _shown(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    default = repr(parameter.default)
    return f"{parameter.name}={default if len(default) <= 40 else '...'}"


def _hint(wrong: str, valid: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(wrong, valid, n=1)
    return (f" (did you mean {close[0]!r}?)" if close else "") + f"; its promises are {', '.join(valid)}"


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """What a promise is annotated with, also where annotations are strings (`from __future__ import annotations`)."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return get_type_hints(holder, inspect.unwrap(function).__globals__, include_extras=True)[parameter.name]
    except NameError as error:
        raise TypeError(
            f"{function.__qualname__}: the annotation of {parameter.name} cannot be read ({error}). Import it at run "
            "time, since its validators are run"
        ) from None


def _validators(annotation: Any) -> list[Callable[[str, Any], object]]:
    """The validators of `Annotated[T, ...]`, also inside `Annotated[T, ...] | None`."""
    if get_origin(annotation) is Annotated:
        return [item for item in annotation.__metadata__ if callable(item)]
    return [item for part in get_args(annotation) for item in _validators(part)]
