"""What this computer has: processor, memory, GPUs, and which of them torch can use.

Looks, never measures (that is ``engine.bandwidth``) and never imports torch. It knows nothing of
models; what fits where is ``engine.plan``.
"""

from engine.hardware.detection import detect
from engine.hardware.facts import Gpu, Hardware

__all__ = ["Gpu", "Hardware", "detect"]
