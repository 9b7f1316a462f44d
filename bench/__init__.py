"""`make bench`: our engine against TRL's trainers on the same work. See docs/performance.md."""
