"""Files in, Volume out, and back."""
