"""Which cells are done, and what they say: tables, tests, figures, HTML page."""
