"""What is done with a finished run: asking where a number came from, handing it on."""
