"""What is measured: one module a figure or group of figures, each with a `measure()`."""
