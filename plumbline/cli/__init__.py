"""The command line; `app` lists the commands."""
