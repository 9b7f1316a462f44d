"""The contracts of plug-in files, checked by running them; every failure speaks to the author."""
