"""``python -m thinnet`` is the command ``thinnet``."""

import sys

from thinnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
