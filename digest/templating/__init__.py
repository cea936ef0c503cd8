"""Templates: where they are found, how they run, and how an operator's are proof-read."""
