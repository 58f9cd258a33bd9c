"""How things go wrong: one line for people, one documented exit code for scripts."""

import signal
import sys

FAILED = 1
USAGE = 2
MISSING_PACKAGES = 3
UNSUPPORTED_PLATFORM = 4
CANNOT_ENFORCE = 5
INTERRUPTED = 130


class Failure(Exception):
    """Ends a verb with one line on stderr and an exit code."""

    def __init__(self, message, code=FAILED):
        super().__init__(message)
        self.code = code


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number, _frame):
    for each in SIGNALS:  # a second one must not interrupt the tidying up
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(verb):
    """Runs a verb's main function and exits with what it comes to.

    A signal that would end the script becomes an exception first, so that what
    was half done can be undone.
    """
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        sys.exit(verb() or 0)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except OSError as error:  # a folder that cannot be written, say
        print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
