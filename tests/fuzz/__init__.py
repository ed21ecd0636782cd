"""Fuzzing of every reader: ``run`` for as long as asked, ``test_structure`` in the suite."""
