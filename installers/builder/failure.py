"""The one way in which a build ends badly: a sentence with what to do, and exit code 2."""


class BuildFailed(Exception):
    """A sentence for whoever builds: what is wrong, and what to do about it."""
