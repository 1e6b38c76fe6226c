"""The report in other forms: for the terminal, a browser, a test runner and an autograder."""
