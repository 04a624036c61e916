"""Volume to volume: planes fused, uncertainty, domain check."""
