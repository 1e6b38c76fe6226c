"""Print all verdicts as the page docs/verdicts.md."""

from thinnet.check.verdicts import page

print(page(), end="")
