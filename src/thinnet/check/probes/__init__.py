"""One probe for each function: what is measured, and which verdicts it leads to."""
