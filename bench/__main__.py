"""`python -m bench`: runs the command line; what cannot be used ends in one line and status 2."""

import io
import sys

from bench.errors import INTERRUPTED, UnusableInput, WorkStopped, is_disk_error, is_memory_error
from bench.hiding import hiding_file, imported_hiding_file

# A shell completes a command that stands on its path, and `python -m bench` is none.
COMMAND = "bench"
_COMPLETION = {"--install-completion", "--show-completion"}


def main() -> None:
    """Run the command line; what cannot be used ends in one line and status 2."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show √ or a name's letters shows something else and does not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if hiding := hiding_file():
        _stop(hiding)
    try:
        # Not before: it imports what a file may hide.
        from bench.cli import app

        app(prog_name=COMMAND if _COMPLETION & set(sys.argv[1:2]) else None)
    except (UnusableInput, WorkStopped) as error:
        _stop(str(error), error.status)
    except OSError as error:
        _stop(_disk_reason(error))
    except (MemoryError, ImportError, AttributeError, RuntimeError) as error:
        reason = _other_reason(error)
        if reason is None:
            raise
        _stop(reason)
    except KeyboardInterrupt:
        # Where no command has begun yet, or none says more of it.
        _stop("interrupted", INTERRUPTED)


def _other_reason(error: Exception) -> str | None:
    """What an error is that is no mistake of the program; None for any other."""
    if is_memory_error(error):
        message = " ".join(str(error).split()) or type(error).__name__
        return f"too little memory: {message}; nothing half-written is left"
    if isinstance(error, ImportError | AttributeError) and (hiding := imported_hiding_file()):
        return hiding
    # What a path such as ~nobody/x ends in.
    if "home directory" in str(error):
        return f"a path begins with ~ and a name that is no user's: {error}"
    return None


def _disk_reason(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        # Making a folder says "File exists" of what is in its place.
        return f"{error.filename}: is there already, and is no folder"
    ending = "; nothing half-written is left" if is_disk_error(error) else ""
    return f"{error.filename or 'disk'}: {error.strerror or error}{ending}"


def _stop(reason: str, status: int = 2) -> None:
    print(f"bench: {' '.join(reason.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
