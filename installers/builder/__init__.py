"""What ``installers/build.py`` is made of: one noun a module, standard library only."""
