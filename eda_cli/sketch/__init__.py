"""What is wished: a sketch as pure data. Starts nothing, opens nothing but the file it is told to load.

`resolved` is all that the rooms above need to know and imports neither pydantic nor YAML; `load` turns a file
into it.
"""
