"""Losses for users of something else: on numbers from a file, and in another library's trainer."""
