"""What item-level results allow to be said: intervals, places, tests. Functions on arrays.

Scores have shape (..., methods, seeds, items). A seed that a method does not have is NaN at every
item; every other run has every item (`items.shared`). The items are draws from the questions that
could have been asked, and the same for all runs; the seeds of a method are draws from its training
runs, and no other method's. docs/statistics.md has every number in words.
"""
