"""Settings, files, processes, devices and memory of this machine. Imports no other package of core."""
