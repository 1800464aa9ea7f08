"""Changing and explaining what is served: the library behind the command line. Nothing here prints."""
