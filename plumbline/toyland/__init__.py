"""Toyland: a closed-vocabulary instruction world with planted truth and an exact judge."""
