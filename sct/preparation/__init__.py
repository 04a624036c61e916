"""From a participant's volumes to slice pairs in a store."""
