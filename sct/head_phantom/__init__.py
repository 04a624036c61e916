"""A procedural cohort of heads: anatomy, tissue, MR and CT signal."""
