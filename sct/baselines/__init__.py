"""Classical methods that fit and predict like a network."""
