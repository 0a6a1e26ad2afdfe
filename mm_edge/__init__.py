"""mm_edge: timely, trustworthy speech from a vehicle's or robot's sensors.

The generated message modules (`mm_edge.msg`) live in the installed overlay; extending the package path lets them be
found also when Python is started in the source tree.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
