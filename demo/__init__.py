"""Made-up partners: a story to look around in, and as many rows as a test of speed needs."""
