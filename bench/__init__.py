"""How quick the heaviest pages are, at two sizes and against the least Flask that does the same."""
