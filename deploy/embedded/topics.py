"""Creates the topics that are missing, in a process of its own that can be stopped at any moment."""

import sys
from pathlib import Path

from services.runtime.broker import create_topics

if __name__ == "__main__":
    create_topics(sys.argv[1], Path(sys.argv[2]), mock=False)
