"""What all doors share: configuration folder, one-line errors, exit codes."""

import difflib
import functools
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sct.core.errors import SctError

__all__ = [
    "SWEEP_FLAGS",
    "check_choices",
    "choices",
    "config_folder",
    "error_line",
    "hydra_app",
    "hydra_door",
    "one_line_errors",
    "register_resolvers",
    "typer_door",
    "word",
]


SWEEP_FLAGS = {"-m", "--multirun"}


def config_folder() -> Path:
    """The folder `conf/`: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def typer_door(command: Callable[..., None]) -> None:
    """Run a function with typer-annotated arguments as a command line.

    A user's mistake ends in one line on stderr and exit code 1; wrong usage in typer's message and exit code 2.
    """
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(command)
    one_line_errors(app)


def hydra_door(task: Callable[[Any], Any], config_name: str) -> None:
    """Run a function of the composed configuration `conf/<config_name>.yaml` as a Hydra app.

    Hydra's messages for unknown choices, keys and grammar are cut to one line with the nearest names.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        hydra_app(task, config_name)
    else:
        one_line_errors(lambda: hydra_app(task, config_name))


def hydra_app(task: Callable[[Any], Any], config_name: str) -> None:
    """As `hydra_door`, with the errors raised: of a sweep, the first failed job's after all jobs have ended."""
    import hydra

    check_choices(sys.argv[1:])
    # Hydra's parser takes the overrides in one piece only, not `a=1 -m b=2`.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda given: given not in SWEEP_FLAGS)
    register_resolvers()
    # Hydra then raises instead of printing a traceback of its own; the line below is ours to word.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config_name)
    try:
        decorate(_quiet(task))()
    except ValueError as error:
        if str(error).startswith("Only one of --"):
            raise SctError(f"{error}; one configuration is shown or run at a time: leave -m out") from error
        raise


def check_choices(words: Sequence[str]) -> None:
    """Refuse what is no name of a choice: of `loss=[mae,mse]` Hydra would take the last, and `loss=null` ends it.

    Args:
        words: The command line.

    Raises:
        SctError: A word gives a group of `conf/` anything but names.
    """
    for text in words:
        group, is_override, value = text.partition("=")
        if not group:
            raise SctError(f"{text}: no key before the equals sign; give key=value")
        if group not in _groups() or not is_override:
            continue
        if value.startswith("["):
            names = value.replace("[", "").replace("]", "")
            hint = "give each a command" if group == "experiment" else f"`-m {group}={names}` runs one after the other"
            raise SctError(f"{text}: one choice at a time; {hint}")
        if not re.match(r"[A-Za-z_]", value) or value.lower() in {"null", "true", "false"}:
            raise SctError(f"{text}: no such choice; there are {', '.join(choices(group))}")


def _groups() -> list[str]:
    return [path.name for path in config_folder().iterdir() if path.is_dir()]


def choices(group: str) -> list[str]:
    """Names of the choices of a group of `conf/`, in order."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def _quiet(task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """End a single job's mistake before Hydra adds lines of its own; a sweep goes on with its other jobs."""

    @functools.wraps(task)
    def guarded(cfg: Any) -> Any:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf.errors import OmegaConfBaseException

        try:
            return task(cfg)
        except (SctError, OmegaConfBaseException) as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            _stop(_one_line(error))

    return guarded


def register_resolvers() -> None:
    """Teach OmegaConf what `conf/` uses.

    `${sct.folder_name:DIR}` is a folder's own name, `${sct.word:TEXT}` see `word`, `${sct.when:CONDITION,TEXT}` the
    text if the condition holds, else nothing.
    """
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver(
        "sct.folder_name", lambda folder: Path(str(folder)).resolve().name, replace=True, use_cache=False
    )
    OmegaConf.register_new_resolver("sct.word", word, replace=True, use_cache=False)
    OmegaConf.register_new_resolver(
        "sct.when", lambda condition, text: text if condition else "", replace=True, use_cache=False
    )


def word(value: object) -> str:
    """A value of participants.tsv as part of a folder's name: `GE MEDICAL SYSTEMS` -> `GE_MEDICAL_SYSTEMS`."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", str(value))


def one_line_errors(app: Callable[[], Any]) -> None:
    """Call `app`; a user's mistake ends in one line on stderr and exit code 1, Ctrl-C in 130."""
    try:
        app()
    except KeyboardInterrupt:
        _stop("interrupted", code=130)
    except Exception as error:
        line = error_line(error)
        if line is None:
            raise
        _stop(line)


def error_line(error: Exception) -> str | None:
    """What a person is told of an error; None of one that nobody foresaw, which shows its traceback."""
    if isinstance(error, SctError):
        return str(error)
    module = type(error).__module__.partition(".")[0]
    if module in {"hydra", "omegaconf"}:
        return _one_line(error)
    if module == "submitit":
        return f"{str(error).splitlines()[0]}: the job died; the same command takes up what is not done"
    return None


def _stop(message: str, code: int = 1) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _one_line(error: BaseException) -> str:
    """Hydra's and OmegaConf's messages in one line, with the nearest names for an unknown choice."""
    text = str(error)
    # An error raised while instantiating a `_target_` or running a job carries its cause's message further down.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SctError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    choice = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if choice:
        group, name = choice.groups()
        options = choices(group)
        nearest = difflib.get_close_matches(name, options, n=3) or options
        return f"{group}={name}: no such choice; did you mean {' or '.join(nearest)}? (there are {', '.join(options)})"
    override = getattr(error, "override", None)
    if override:
        return f"{override}: not an override that Hydra can read ({text.splitlines()[0]}); quote lists and blanks"
    several = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if several:
        return f"{several.group(1)}: several values; with -m they are a sweep, in brackets one list"
    key = re.search(r"Could not override '([^']+)'", text)
    if key:
        name = key.group(1)
        return f"{name}: no such key in the configuration; `--cfg job` shows them all, `+{name}=...` adds one"
    missing = re.search(r"[Mm]issing mandatory value: (\S+)", text)
    if missing:
        return f"{missing.group(1)} is missing; {missing.group(1)}=... gives it"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [
        line for line in lines if not line.startswith(("See https", "full_key:", "object_type=", "reference_type"))
    ]
    return " ".join(lines[:2])
