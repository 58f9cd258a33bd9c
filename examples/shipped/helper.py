"""What mappers share."""

import re


def words(line):
    """The words of a line, in lower case."""
    return re.findall("[a-z]+", line.lower())
