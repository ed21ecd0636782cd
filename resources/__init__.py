"""Data that the app carries: icons, translations, templates, the catalogue seed."""
