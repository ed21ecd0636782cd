"""The CPU engine: C++ behind ``skein_cpu.h``; ``library`` is its door for Python."""
