"""The meaning of it: verbs as functions, which check, change, record and queue, and never commit."""
