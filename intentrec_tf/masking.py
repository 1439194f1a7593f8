"""The logit of what may not be chosen."""

NEVER = -1e9  # finite, so that a row where nothing may be chosen stays finite too
