"""The file system: reading, writing, locks, names, and the marks of the folders that analogy has made."""
