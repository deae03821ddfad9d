"""Tests of the program. A package, since some libraries install one of this name too."""
