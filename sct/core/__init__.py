"""Volume, gray, sums, statistics: numpy, scipy and torch only."""
