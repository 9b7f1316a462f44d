"""From files to rows: sources yield feedback, views shape it, `build` writes the splits."""
