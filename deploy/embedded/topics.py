"""Creates the topics that are missing, in a process of its own that can be stopped at any moment."""

import sys
from pathlib import Path

from services.runtime.broker import Topics, create_topics
from services.runtime.reference import Reference


def topics(file: Path, reference: Path) -> Topics:
    """Those of the file, with one of each kind for every organisation of the reference data."""
    return Topics.load(file).of_each(Reference.load(reference).ids)


if __name__ == "__main__":
    create_topics(sys.argv[1], topics(Path(sys.argv[2]), Path(sys.argv[3])), mock=False)
