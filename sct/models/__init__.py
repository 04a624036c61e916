"""Networks in pure torch."""
