"""User vectors for other teams: written with the name of their space, and judged on downstream tasks."""
