"""What is running: processes and the disk. Starts stubs and keepers by command line, and imports neither."""
