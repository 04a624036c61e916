"""Registration and resampling."""
