"""Who reads, and what they asked for: pure values and rules, no I/O and no clock."""
