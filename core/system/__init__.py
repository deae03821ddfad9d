"""What every other part stands on: settings, files, processes, devices and memory of this machine."""
