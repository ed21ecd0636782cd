"""Newer versions of Skein: asked for, fetched, verified and laid ready for the next start.

``source`` whom to ask and whose signature counts · ``feed`` the one small file that says what
there is · ``check`` whether that is something for this copy · ``install`` bytes to a folder ·
``stage`` one folder beside the version that runs. The launcher switches, not this package. Knows
nothing of windows.
"""
