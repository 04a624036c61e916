"""Who: participants.tsv, folder layouts, filters."""
