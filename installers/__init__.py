"""Set-up, translations and (later) installers: programs that run on a bare Python."""
