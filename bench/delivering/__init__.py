"""What the measurement of delivery is made of: a crowd, a sink, senders and their rivals."""
